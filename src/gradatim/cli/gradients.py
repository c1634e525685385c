"""`gradatim lm gradients`: vanishing and exploding gradients, and what they do to learning, as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gradatim.cli.picture import DRAWN, PICTURES, save_picture
from gradatim.cli.target import check_target
from gradatim.errors import need_training

if TYPE_CHECKING:
    from gradatim.nn.recurrent import Cell

# What the legend says, the cell, and the gain of its recurrent weights.
LINES: list[tuple[str, Cell, float]] = [
    ("RNN, tanh", "rnn", 1.0),
    ("RNN, ReLU, weights x 1.5", "relu", 1.5),
    ("GRU", "gru", 1.0),
    ("LSTM", "lstm", 1.0),
]
LEARNERS: list[tuple[str, Cell]] = [("RNN, tanh", "rnn"), ("GRU", "gru"), ("LSTM", "lstm")]
CLIP = 1.0


def command(
    out: Annotated[Path, typer.Option(help=DRAWN)] = Path("gradients.png"),
    back: Annotated[int, typer.Option(min=2, help="How many steps back to look.")] = 100,
    delay: Annotated[int, typer.Option(min=0, help="Steps between symbols and their recall.")] = 30,
    steps: Annotated[int, typer.Option(min=10, help="Training steps of the recall task.")] = 1000,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Plot the gradient that reaches earlier states of RNN, GRU and LSTM, and who learns to recall."""
    need_training("gradatim lm gradients")
    from gradatim.train.gradients import copy_memory, gradient_norms

    check_target(out, PICTURES)
    flows = {}
    for name, cell, gain in LINES:
        flows[name] = [gradient_norms(cell, back, gain=gain, clip=clip, seed=seed) for clip in (None, CLIP)]
        free, cut = (norms[-1] / norms[0] for norms in flows[name])
        print(
            f"{name}: over {back} steps the gradient changes by {free:.1e}, clipped to {CLIP:g} by {cut:.1e}"
        )
    learned = {}
    for name, cell in LEARNERS:
        learned[name] = copy_memory(cell, delay=delay, steps=steps, seed=seed)
        print(
            f"{name}: recalls {learned[name].accuracy[-1]:.0%} of 3 symbols after {delay} blanks (chance 12 %)"
        )
    _draw(flows, learned, delay, out)
    print(f"picture written to {out}")


def _draw(flows: dict[str, Any], learned: dict[str, Any], delay: int, out: Path) -> None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    for i, (name, (free, clipped)) in enumerate(flows.items()):
        left.semilogy(free, color=f"C{i}", label=name)
        left.semilogy(clipped, color=f"C{i}", ls="--", lw=1)
    left.plot([], [], "k--", lw=1, label=f"clipped to {CLIP:g} at every step")
    left.set_xlabel("k, steps back")
    left.set_title("Norm of the gradient that reaches h(t-k), fresh weights", loc="left")
    left.legend(frameon=False)
    colours = {name: f"C{i}" for i, name in enumerate(flows)}
    for name, found in learned.items():
        right.plot(
            found.steps,
            [100 * share for share in found.accuracy],
            "o-",
            ms=3.5,
            color=colours[name],
            label=name,
        )
    right.axhline(12.5, color="grey", ls=":", lw=1, label="chance")
    right.set_ylim(0, 103)
    right.set_xlabel("training steps")
    right.set_title(f"Share of three symbols recalled after {delay} blanks, %", loc="left")
    right.legend(frameon=False)
    for axis in (left, right):
        axis.spines[["top", "right"]].set_visible(False)
    save_picture(figure, out)
    plt.close(figure)
