"""Labels beside points so that they cover neither each other nor the points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

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
    for spot in spots:
        tries = [(gap, _inside(_box(spot, gap, angle), frame)) for gap, angle in product(GAPS, DIRECTIONS)]
        costs = [_cost(box, gap, (*taken, *boxes), lines) for gap, box in tries]
        boxes.append(tries[costs.index(min(costs))][1])
    return boxes


def _cost(box: Box, gap: float, taken: Sequence[Box], lines: Sequence[Box]) -> float:
    """Covering a bubble or a label costs most, a line less, distance least."""
    covered = sum(_overlap(box, other) for other in taken)
    crossed = sum(_overlap(box, line) for line in lines)
    return 100.0 * covered + crossed + 2.0 * gap


def _box(spot: Spot, gap: float, angle: float) -> Box:
    """The label's box when it touches the circle around the bubble at this angle."""
    dx, dy = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    x = spot.x + (spot.radius + gap) * dx + spot.width / 2 * (dx if abs(dx) < 0.5 else math.copysign(1, dx))
    y = spot.y + (spot.radius + gap) * dy + spot.height / 2 * dy
    return x - spot.width / 2, y - spot.height / 2, x + spot.width / 2, y + spot.height / 2


def _inside(box: Box, frame: Box) -> Box:
    """The box moved as little as needed to lie in the frame."""
    left, bottom, right, top = box
    dx = max(frame[0] - left, 0.0) + min(frame[2] - right, 0.0)
    dy = max(frame[1] - bottom, 0.0) + min(frame[3] - top, 0.0)
    return left + dx, bottom + dy, right + dx, top + dy


def _overlap(a: Box, b: Box) -> float:
    """Area in square pixels that two boxes share."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return max(width, 0.0) * max(height, 0.0)
