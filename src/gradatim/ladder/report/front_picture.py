"""The picture of the front: quality against latency, bubbles as large as the artifacts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from gradatim.ladder.choice import excesses
from gradatim.ladder.figures import PERCENT, POINTS, metric_name, quality, short, with_unit
from gradatim.ladder.front import latency, pareto_front
from gradatim.ladder.records import Row, Story
from gradatim.ladder.report.answer import limits
from gradatim.ladder.report.canvas import Figure, Palette, log_ticks, new_axes
from gradatim.ladder.report.labels import Box, Spot, place_labels
from gradatim.wording import count

FASTEST_MS = 0.001  # what a clock can resolve; keeps a log axis possible
LARGEST = 30.0  # diameter in points of the largest bubble
SMALLEST = 4.0


@dataclass(frozen=True, slots=True)
class Bubble:
    """A row as it is drawn: its place in the axes' units and its diameter in points."""

    row: Row
    x: float
    y: float
    diameter: float
    colour: str
    chosen: bool
    hollow: bool  # over a limit of the budget
    below: bool  # so far below the others that only a triangle at the edge points to it


def draw_front(story: Story, palette: Palette, size: tuple[float, float] = (8.6, 4.7)) -> Figure:
    """Figure of `size` inches; `front_alt` says the same in words."""
    axes = new_axes(size, palette, "milliseconds per text, p95 (log scale)", with_unit(story.metric))
    scale = 100.0 if story.metric in PERCENT | POINTS else 1.0
    floor = _floor([row.measurement.quality for row in story.rows])
    _scale_axes(axes, [row for row in story.rows if row.measurement.quality >= floor], story, scale)
    _shade_budget(axes, story, palette)
    bubbles = [_bubble(axes, row, story, palette, floor, scale) for row in story.rows]
    front = [row for row in pareto_front(story.rows) if row.measurement.quality >= floor]
    x = np.repeat([*map(_ms, front), axes.get_xlim()[1]], 2)[1:-1]  # steps: what quality each latency buys
    y = np.repeat([row.measurement.quality * scale for row in front], 2)
    axes.plot(x, y, color=palette["muted"], linewidth=1.1, alpha=0.75, zorder=2)
    for bubble in sorted(bubbles, key=lambda bubble: -bubble.diameter):  # the small ones in front
        _draw_bubble(axes, bubble, scale, palette["paper"])
    axes.figure.canvas.draw()
    bubbles.sort(key=lambda bubble: (not bubble.chosen, -bubble.y))
    _draw_labels(axes, bubbles, story.metric, palette)
    return axes.figure


def front_alt(story: Story) -> str:
    """The picture in words, for those who do not see it."""
    said = [
        f"{row.name} {quality(row.measurement.quality, story.metric)} at {short(latency(row))} ms"
        for row in pareto_front(story.rows)
    ]
    return (
        f"{metric_name(story.metric)} against latency of {count(len(story.rows), 'candidate')}. "
        f"On the front, fastest first: {'; '.join(said)}. Budget: {limits(story.choice.budget)}."
    )


def _floor(qualities: Sequence[float]) -> float:
    """The lowest quality drawn to scale: far-off baselines stand at the edge, not in the way."""
    ranked = sorted(qualities, reverse=True)
    best, middle = ranked[0], ranked[len(ranked) // 2]
    reach = max(2.5 * (best - middle), 0.1 * abs(best))
    kept = [q for q in ranked if q >= best - reach]
    return kept[-1] if len(kept) >= 2 else ranked[-1]


def _scale_axes(axes: Any, rows: Sequence[Row], story: Story, scale: float) -> None:
    low, high = min(map(_ms, rows)), max(map(_ms, rows))
    limit = story.choice.budget.max_ms
    if limit is not None and low / 4 < limit < high * 4:
        low, high = min(low, limit), max(high, limit)
    margin = max((high / low) ** 0.09, 1.9)
    axes.set_xscale("log")
    axes.set_xlim(low / margin, high * margin)
    log_ticks(axes.xaxis, (1, 2, 5) if high / low < 300 else (1,), "g")
    top = max(row.measurement.high for row in story.rows) * scale
    bottom = min(row.measurement.low for row in rows) * scale
    reach = max(top - bottom, 0.02 * scale)
    axes.set_ylim(bottom - 0.12 * reach, top + 0.08 * reach)


def _shade_budget(axes: Any, story: Story, palette: Palette) -> None:
    """Shade the latencies that the budget rules out."""
    limit = story.choice.budget.max_ms
    left, right = axes.get_xlim()
    if limit is None or limit >= right:
        return  # every drawn candidate is inside
    start, colour = max(limit, left), palette["shade"]
    axes.axvspan(start, right, color=colour, alpha=0.09, linewidth=0)
    axes.axvline(start, color=colour, linewidth=1, linestyle=(0, (4, 3)))
    corner = {"xycoords": ("data", "axes fraction"), "xytext": (4, -4), "textcoords": "offset points"}
    axes.annotate(f"over {limit:g} ms", (start, 1), **corner, va="top", fontsize=8.5, color=colour)


def _bubble(axes: Any, row: Row, story: Story, palette: Palette, floor: float, scale: float) -> Bubble:
    """The bubble's area is proportional to the artifact's size, down to a smallest visible one."""
    largest = max(other.measurement.size_mb for other in story.rows)
    diameter = max(SMALLEST, LARGEST * math.sqrt(row.measurement.size_mb / largest)) if largest else SMALLEST
    below = row.measurement.quality < floor
    left, right = axes.get_xlim()
    chosen = row is story.choice.subject
    return Bubble(
        row,
        x=max(_ms(row), left * (right / left) ** 0.025) if below else _ms(row),  # inside the left edge
        y=axes.get_ylim()[0] if below else row.measurement.quality * scale,
        diameter=7.0 if below else diameter,
        colour=palette["accent" if chosen else "dot"],
        chosen=chosen,
        hollow=bool(excesses(row, story.choice.budget)),
        below=below,
    )


def _draw_bubble(axes: Any, bubble: Bubble, scale: float, paper: str) -> None:
    x, y, colour, chosen = bubble.x, bubble.y, bubble.colour, bubble.chosen
    if bubble.below:
        axes.plot(x, y, marker="v", color=colour, markersize=8, clip_on=False, zorder=4)
        return
    interval = [bubble.row.quality.low * scale, bubble.row.quality.high * scale]
    axes.plot([x, x], interval, color=colour, linewidth=1.5, alpha=1.0 if chosen else 0.5, zorder=3)
    disc = {"marker": "o", "markersize": bubble.diameter, "color": paper if bubble.hollow else colour}
    alpha = 1.0 if chosen or bubble.hollow else 0.85
    axes.plot(x, y, **disc, markeredgecolor=colour, markeredgewidth=1.4, alpha=alpha, zorder=4 + chosen)
    if chosen:
        ring = {"marker": "o", "markersize": bubble.diameter + 8, "color": "none"}
        axes.plot(x, y, **ring, markeredgecolor=colour, markeredgewidth=1.6)


def _draw_labels(axes: Any, bubbles: Sequence[Bubble], metric: str, palette: Palette) -> None:
    """Every bubble's name beside it, and a thin line to a name that had to move away."""
    pixels, to_pixels = axes.figure.dpi / 72, axes.transData
    lines = _lines(axes)
    texts, spots = [], []
    for bubble in bubbles:
        words, chosen = bubble.row.name, bubble.chosen
        if chosen or bubble.below:
            words = f"{words} {quality(bubble.row.measurement.quality, metric)}"
        style = {"fontsize": 10, "fontweight": "bold"} if chosen else {"fontsize": 9}
        texts.append(axes.text(0, 0, words, color=palette["accent" if chosen else "ink"], zorder=6, **style))
        extent = texts[-1].get_window_extent()
        radius = (bubble.diameter + 8 * chosen) / 2 * pixels
        x, y = to_pixels.transform((bubble.x, bubble.y))
        spots.append(Spot(x, y, radius, extent.width, extent.height))
    for text, spot, box in zip(texts, spots, place_labels(spots, axes.bbox.extents, lines), strict=True):
        text.set(position=to_pixels.inverted().transform(box[:2]), va="bottom")
        x, y = min(max(spot.x, box[0]), box[2]), min(max(spot.y, box[1]), box[3])
        distance = math.hypot(x - spot.x, y - spot.y)
        if distance > spot.radius + 14:
            rim = spot.radius / distance
            ends = [(spot.x + (x - spot.x) * rim, spot.y + (y - spot.y) * rim), (x, y)]
            leader = zip(*to_pixels.inverted().transform(ends), strict=True)
            axes.plot(*leader, color=palette["muted"], linewidth=0.7, zorder=3)


def _lines(axes: Any) -> list[Box]:
    """The straight pieces of all lines in the axes, as thin boxes in pixels."""
    boxes = []
    for line in axes.lines:
        points = line.get_transform().transform(line.get_path().vertices)
        for (x0, y0), (x1, y1) in pairwise(points):
            boxes.append((min(x0, x1) - 1, min(y0, y1) - 1, max(x0, x1) + 1, max(y0, y1) + 1))
    return boxes


def _ms(row: Row) -> float:
    return max(latency(row), FASTEST_MS)
