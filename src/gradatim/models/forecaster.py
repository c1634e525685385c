"""A recurrent network that says, moment by moment, what a numeric series will do next: a distribution, not a number."""

from __future__ import annotations

from typing import cast

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import StudentT

from gradatim.nn.packed import Layout
from gradatim.nn.recurrent import Cell, Recurrent, RecurrentState

LEAST_SCALE = 1e-3
LEAST_FREEDOM = 2.0  # of Student's t: at 2 the variance ends


class Forecaster(nn.Module):
    """What is known at every moment -> recurrent layers -> location, scale and freedom of Student's t.

    As DeepAR (Salinas et al. 2020, section 3): trained on all moments at once, and run one at a time on what it
    has drawn itself.
    """

    def __init__(
        self,
        num_features: int,
        width: int = 64,
        *,
        num_layers: int = 2,
        cell: Cell = "lstm",
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.recurrent = Recurrent(cell, num_features, width, num_layers=num_layers, dropout=dropout)
        self.head = nn.Linear(width, 3)

    def forward(
        self, features: Float[Tensor, "tokens features"], layout: Layout, state: RecurrentState | None = None
    ) -> Float[Tensor, "tokens 3"]:
        """What `distribution` reads, for all moments of packed rows; with a `state` rows go on from it."""
        return cast(Tensor, self.head(self.recurrent(features, layout, state)))

    @staticmethod
    def distribution(raw: Float[Tensor, "any 3"]) -> StudentT:
        """Of the next value, in the units that the network was trained in."""
        location, scale, freedom = raw.float().unbind(-1)
        return StudentT(
            LEAST_FREEDOM + F.softplus(freedom),
            location,
            LEAST_SCALE + F.softplus(scale),
            validate_args=False,
        )
