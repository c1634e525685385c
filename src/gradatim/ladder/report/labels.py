"""Labels beside points so that they cover neither each other nor the points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from gradatim.types import Array

Box = tuple[float, float, float, float]  # left, bottom, right, top in pixels
DIRECTIONS = (0, 45, -45, 90, -90, 180, 135, -135, 20, -20, 160, -160)  # degrees, preferred first
GAPS = (3.0, 9.0, 18.0, 30.0, 46.0, 64.0)  # pixels between a bubble's rim and its label


@dataclass(frozen=True, slots=True)
class Spot:
    """A bubble at (x, y) of `radius`, and the size of the label it wants; all in pixels."""

    x: float
    y: float
    radius: float
    width: float
    height: float


def place_labels(spots: Sequence[Spot], frame: Box, lines: Sequence[Box] = ()) -> list[Box]:
    """A box for each spot's label inside `frame`; earlier spots choose first.

    Greedy: the nearest position that covers no bubble, no label already placed and none of `lines`
    (thin boxes), or else the one that covers least; crossing a line is better than going far.
    """
    taken = [(s.x - s.radius, s.y - s.radius, s.x + s.radius, s.y + s.radius) for s in spots]
    boxes: list[Box] = []
    gaps, angles = np.array(list(product(GAPS, DIRECTIONS)), dtype=np.float64).T
    for spot in spots:
        tries = _around(spot, gaps, np.radians(angles), frame)
        costs = 100.0 * _covered(tries, [*taken, *boxes]) + _covered(tries, lines) + 2.0 * gaps
        boxes.append(tuple(tries[costs.argmin()].tolist()))
    return boxes


def _around(spot: Spot, gaps: Array, angles: Array, frame: Box) -> Array:
    """Boxes (n, 4) that touch circles around the bubble, moved as little as needed to lie in the frame."""
    away = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    aside = np.where(np.abs(away[:, 0]) < 0.5, away[:, 0], np.sign(away[:, 0]))
    size = np.array([spot.width, spot.height])
    centre = np.array([spot.x, spot.y]) + (spot.radius + gaps)[:, None] * away
    centre += np.stack([aside, away[:, 1]], axis=1) * size / 2
    low = np.maximum(np.minimum(centre - size / 2, np.array(frame[2:]) - size), frame[:2])
    return np.hstack([low, low + size])


def _covered(boxes: Array, others: Sequence[Box]) -> Array:
    """Square pixels that each box (n, 4) shares with the others, in all (n,)."""
    theirs = np.array(others, dtype=np.float64).reshape(-1, 4)
    low = np.maximum(boxes[:, None, :2], theirs[:, :2])
    high = np.minimum(boxes[:, None, 2:], theirs[:, 2:])
    area: Array = np.clip(high - low, 0, None).prod(-1).sum(-1)
    return area
