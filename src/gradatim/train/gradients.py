"""How far back a recurrent network learns: the gradient that reaches an earlier state, and a task that needs it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from gradatim.models.inputs import Inputs
from gradatim.nn.cells import step
from gradatim.nn.recurrent import Cell, Recurrent
from gradatim.nn.stack import Trace
from gradatim.objectives.base import Batch, Scored
from gradatim.objectives.draws import uniform
from gradatim.train.loop import train
from gradatim.train.recipe import Recipe
from gradatim.types import Array

# Their second gate keeps the state, and begins open (Gers et al. 2000; Jozefowicz et al. 2015).
KEEPING = ("gru", "lstm")


def gradient_norms(
    cell: Cell, steps: int, *, width: int = 64, gain: float = 1.0, clip: float | None = None, seed: int = 0
) -> Float[Tensor, " steps"]:
    """|dL/dh(t-k)| for k = 0, 1, ..., L being the sum of the last state's squares (Pascanu et al. 2013, section 2.1).

    The network has fresh weights, its recurrent ones orthogonal and times `gain`: below 1 the gradient of
    an RNN vanishes, above it may explode. With `clip` the gradient is cut to that norm at every step on its
    way back. Input is noise.
    """
    torch.manual_seed(seed)
    layer: nn.RNNBase = Recurrent(cell, width, width).layers[0]  # type: ignore[assignment]
    weights = {name: weight.detach() for name, weight in layer.named_parameters()}
    gates = weights["weight_hh_l0"].view(-1, width, width)
    for gate in gates:
        nn.init.orthogonal_(gate, gain)
    if cell in KEEPING:
        weights["bias_hh_l0"][width : 2 * width] = 1.0
    state = (torch.zeros(1, width),) * (2 if cell == "lstm" else 1)
    states = []
    for x in torch.randn(steps, 1, width):
        h = state[0].requires_grad_()
        into = x @ weights["weight_ih_l0"].T + weights["bias_ih_l0"]
        state = step(cell, into, h @ weights["weight_hh_l0"].T + weights["bias_hh_l0"], state)
        if clip is not None:
            for part in state:
                part.register_hook(lambda grad: grad * (clip / grad.norm()).clamp(max=1.0))  # type: ignore[no-untyped-call]
        state[0].retain_grad()
        states.append(state[0])
    states[-1].square().sum().backward()  # type: ignore[no-untyped-call]
    return torch.stack([torch.as_tensor(h.grad).norm() for h in reversed(states)])


@dataclass(frozen=True, slots=True)
class Recalled:
    """How a network did on the copy task: share of symbols recalled, after each so many steps of training."""

    steps: list[int]
    accuracy: list[float]


class CopyMemory(Scored["Memory"]):
    """Read some symbols, then blanks, then say the symbols (Hochreiter & Schmidhuber 1997, section 5; Arjovsky et al.
    2016, section 4.1). Only what must be remembered is scored.
    """

    def __init__(self, count: int, *, length: int, delay: int, symbols: int = 8) -> None:
        self.count, self.length, self.delay, self.symbols = count, length, delay, symbols

    @property
    def sizes(self) -> Array:
        return np.full(self.count, 2 * self.length + self.delay)

    def collate(self, rows: Array, seed: int = 0) -> Batch:
        size = 2 * self.length + self.delay
        drawn = uniform(7, np.repeat(rows, self.length), np.tile(np.arange(self.length), len(rows)))
        said = (drawn * self.symbols).astype(np.int64).reshape(len(rows), self.length)
        ids = np.full((len(rows), size), self.symbols)  # blank
        ids[:, : self.length] = said
        ids[:, size - self.length :] = self.symbols + 1  # now say it
        arrays = {"ids": ids.ravel(), "lengths": np.full(len(rows), size)}
        at = np.arange(len(rows))[:, None] * size + np.arange(size - self.length, size)
        targets = {"recalled": torch.from_numpy(said.ravel())}
        return Batch(Inputs.of(arrays, fill=1), targets, rows, at=torch.from_numpy(at.ravel()))

    def logits(self, model: Memory, batch: Batch, trace: Trace | None = None) -> dict[str, Tensor]:
        assert batch.at is not None
        return {"recalled": model(batch.inputs, batch.at).float()}


class Memory(nn.Module):
    """A recurrent layer between one-hot symbols and logits of symbols."""

    def __init__(self, cell: Cell, symbols: int, width: int) -> None:
        super().__init__()
        self.words = nn.Embedding(symbols + 2, width)
        self.recurrent = Recurrent(cell, width, width)
        self.linear = nn.Linear(width, symbols)
        if cell in KEEPING:
            bias = torch.as_tensor(self.recurrent.layers[0].bias_hh_l0)
            nn.init.ones_(bias.detach()[width : 2 * width])

    def forward(self, inputs: Inputs, at: Tensor) -> Tensor:
        states = self.recurrent(self.words(inputs.ids), inputs.layout)
        return self.linear(states.index_select(0, at))  # type: ignore[no-any-return]


def copy_memory(
    cell: Cell, *, length: int = 3, delay: int = 40, width: int = 64, steps: int = 600, seed: int = 0
) -> Recalled:
    """Train on fresh examples and see, every tenth of the steps, what share of new symbols is recalled."""
    torch.manual_seed(seed)
    model = Memory(cell, 8, width)
    task = CopyMemory(64 * steps, length=length, delay=delay)
    held = task.collate(np.arange(10**6, 10**6 + 500))
    every = max(1, steps // 10)
    found = Recalled([], [])

    def look() -> float:
        with torch.no_grad():
            right = task.logits(model, held)["recalled"].argmax(-1) == held.targets["recalled"]
        found.steps.append(every * (len(found.steps) + 1))
        found.accuracy.append(float(right.float().mean()))
        return 0.0

    recipe = Recipe(
        epochs=1, batch_size=64, max_tokens=10**6, rate=3e-3, warmup=0.05, evaluate_every=every, seed=seed,
        precision="fp32",
    )  # fmt: skip
    train(model, task, recipe, evaluate=look)
    return found
