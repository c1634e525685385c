"""`gradatim bench`: what things cost on this machine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gradatim.cli.picture import DRAWN, PICTURES, save_picture

if TYPE_CHECKING:
    from gradatim.train.complexity import Cost, Law

app = typer.Typer(
    add_completion=False, help="Measure what things cost on this machine.", no_args_is_help=True
)
LENGTHS, WIDTHS = [64, 128, 256, 512, 1024, 2048, 4096, 8192], [64, 128, 256, 512, 1024]
SHOWN_LENGTH, SHOWN_WIDTH = 1024, 256  # of the two pictures


@app.callback()
def main() -> None:
    """Measure what things cost on this machine."""


@app.command()
def layers(
    lengths: Annotated[
        list[int] | None, typer.Option("--length", min=2, help="Tokens of a row; repeat it.")
    ] = None,
    widths: Annotated[
        list[int] | None, typer.Option("--width", min=64, help="A multiple of 64; repeat it.")
    ] = None,
    png: Annotated[Path | None, typer.Option(help=f"Times and theory. {DRAWN}")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Every time and law as JSON.")] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="Cores to use (default: all).")] = None,
) -> None:
    """Time self-attention, recurrent, convolutional and local-window layers by length and width; fit their laws."""
    from gradatim.cli.target import check_target
    from gradatim.errors import ConfigError, need_training
    from gradatim.progress import bar

    need_training("gradatim bench layers")
    import torch

    from gradatim.train.complexity import HEAD_WIDTH, THEORY, crossover, fit, measure

    chosen, wide = sorted(lengths or LENGTHS), sorted(widths or WIDTHS)
    if odd := [width for width in wide if width % HEAD_WIDTH]:
        raise ConfigError(f"--width {odd[0]} is not a multiple of {HEAD_WIDTH}, the width of a head")
    if png is not None:
        check_target(png, PICTURES)
    if threads is not None:
        torch.set_num_threads(threads)
    costs: list[Cost] = []
    cells = len(chosen) * len(wide) * len(THEORY)
    with bar("layers") as step:
        for cost in measure(chosen, wide):
            costs.append(cost)
            step(len(costs) / cells)
    laws, crossed = fit(costs), crossover(costs, "self-attention", "recurrent")
    if as_json:
        found: dict[str, Any] = {"costs": [asdict(cost) for cost in costs]}
        found |= {"laws": {name: asdict(law) for name, law in laws.items()}, "crossover": crossed}
        print(json.dumps(found, indent=1))
    else:
        _show(costs, laws, crossed)
    if png is not None:
        _draw(costs, laws, crossed, png)


def _show(costs: Sequence[Cost], laws: dict[str, Law], crossed: dict[int, float]) -> None:
    """Laws beside theory, and where self-attention becomes dearer than a recurrent layer."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table("layer", "theory", "measured", "longest and widest", box=box.SIMPLE_HEAD)
    for name, law in laws.items():
        last = max((cost for cost in costs if cost.layer == name), key=lambda cost: (cost.length, cost.width))
        table.add_row(
            name,
            f"O({law.formula})",
            f"n^{law.by_length:.2f} d^{law.by_width:.2f}",
            f"{1e3 * last.seconds:,.1f} ms",
        )
    console = Console()
    console.print(table)
    for width, length in crossed.items():
        print(
            f"width {width:,}: self-attention takes longer than a recurrent layer from {length:,.0f} tokens on"
        )


def _draw(costs: Sequence[Cost], laws: dict[str, Law], crossed: dict[int, float], path: Path) -> None:
    """Times against length and against width, with the slopes that theory gives, and where two layers cross."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    widths, lengths = (sorted({getattr(cost, name) for cost in costs}) for name in ("width", "length"))
    width, length = (
        min(given, key=lambda size: abs(size - wanted))
        for given, wanted in ((widths, SHOWN_WIDTH), (lengths, SHOWN_LENGTH))
    )
    figure, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
    for name, law in laws.items():
        own = [cost for cost in costs if cost.layer == name]
        views = (
            (axes[0], [(cost.length, cost.seconds) for cost in own if cost.width == width], law.theory[0]),
            (axes[1], [(cost.width, cost.seconds) for cost in own if cost.length == length], law.theory[1]),
        )
        for axis, points, exponent in views:
            sizes, seconds = zip(*sorted(points), strict=True)
            (line,) = axis.plot(
                sizes, [1e3 * value for value in seconds], "o-", ms=4, label=f"{name}: {law.formula}"
            )
            slope = [1e3 * seconds[-1] * (size / sizes[-1]) ** exponent for size in sizes]
            axis.plot(sizes, slope, "--", lw=0.8, color=line.get_color(), alpha=0.7)
    for axis, label in ((axes[0], f"tokens, width {width}"), (axes[1], f"width, {length:,} tokens")):
        axis.set(xscale="log", yscale="log", xlabel=label, ylabel="milliseconds")
    axes[0].legend(fontsize=8, title="dashed: theory", title_fontsize=8)
    axes[2].plot(list(crossed), list(crossed.values()), "o-", color="C3", label="measured")
    axes[2].plot(widths, widths, "--", color="grey", lw=0.8, label="theory: n = d")
    axes[2].set(
        xscale="log",
        yscale="log",
        xlabel="width",
        ylabel="tokens",
    )
    axes[2].set_title("where attention becomes dearer than recurrence", fontsize=9)
    axes[2].legend(fontsize=8)
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    save_picture(figure, path)
    plt.close(figure)
