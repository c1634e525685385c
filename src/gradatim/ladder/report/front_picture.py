"""The picture of the front: quality against latency, bubbles as large as the artifacts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from gradatim.ladder.choice import excesses
from gradatim.ladder.figures import PERCENT, count, metric_name, quality, row_interval, short
from gradatim.ladder.front import pareto_front
from gradatim.ladder.records import Row, Story
from gradatim.ladder.report.answer import limits, subject
from gradatim.ladder.report.canvas import Figure, Palette, new_axes, new_figure
from gradatim.ladder.report.labels import Box, Spot, place_labels

FASTEST_MS = 0.001  # what a clock can resolve; keeps a log axis possible
LARGEST = 30.0  # diameter in points of the largest bubble
SMALLEST = 4.0


def draw_front(story: Story, palette: Palette, width: float = 8.6, height: float = 4.7) -> Figure:
    """Figure of `width` x `height` inches; `front_alt` says the same in words."""
    figure = new_figure(width, height)
    unit = " (%)" if story.metric in PERCENT else ""
    axes = new_axes(
        figure, palette, "milliseconds per text, p95 (log scale)", metric_name(story.metric) + unit
    )
    rows, scale = list(story.rows), 100.0 if story.metric in PERCENT else 1.0
    floor = _floor([row.measurement.quality for row in rows])
    _scale_axes(axes, rows, story, floor * scale, scale)
    shade_budget(axes, story, palette)
    _draw_line(axes, pareto_front(rows), floor, scale, palette)
    largest = max(row.measurement.size_mb for row in rows)
    chosen = subject(story)
    for row in sorted(rows, key=lambda row: -row.measurement.size_mb):  # the small ones in front
        _draw_row(axes, row, story, palette, (floor, scale, _diameter(row, largest)))
    figure.canvas.draw()
    order = sorted(rows, key=lambda row: (row is not chosen, -row.measurement.quality))
    _draw_labels(axes, order, [_diameter(row, largest) for row in order], (floor, scale), story, palette)
    return figure


def front_alt(story: Story) -> str:
    """The picture in words, for those who do not see it."""
    said = [
        f"{row.name} {quality(row.measurement.quality, story.metric)} at {short(row.measurement.p95_ms)} ms"
        for row in pareto_front(story.rows)
    ]
    return (
        f"{metric_name(story.metric)} against latency of {count(len(story.rows), 'candidate')}. "
        f"On the front, fastest first: {'; '.join(said)}. Budget: {limits(story.choice.budget)}."
    )


def shade_budget(axes: Any, story: Story, palette: Palette) -> None:
    """Shade the latencies that the budget rules out."""
    limit = story.choice.budget.max_ms
    left, right = axes.get_xlim()
    if limit is None or limit >= right:
        return  # every drawn candidate is inside
    axes.axvspan(max(limit, left), right, color=palette["shade"], alpha=0.09, linewidth=0)
    axes.axvline(max(limit, left), color=palette["shade"], linewidth=1, linestyle=(0, (4, 3)))
    axes.annotate(
        f"over {limit:g} ms",
        (max(limit, left), 1),
        xycoords=("data", "axes fraction"),
        xytext=(4, -4),
        textcoords="offset points",
        va="top",
        fontsize=8.5,
        color=palette["shade"],
    )


def _floor(qualities: Sequence[float]) -> float:
    """The lowest quality drawn to scale: far-off baselines stand at the edge, not in the way."""
    ranked = sorted(qualities, reverse=True)
    best, middle = ranked[0], ranked[len(ranked) // 2]
    reach = max(2.5 * (best - middle), 0.1 * abs(best))
    kept = [q for q in ranked if q >= best - reach]
    return kept[-1] if len(kept) >= 2 else ranked[-1]


def _scale_axes(axes: Any, rows: Sequence[Row], story: Story, floor: float, scale: float) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    drawn = [row for row in rows if row.measurement.quality * scale >= floor]
    times = [_ms(row) for row in drawn]
    low, high = min(times), max(times)
    limit = story.choice.budget.max_ms
    if limit is not None and low / 4 < limit < high * 4:
        low, high = min(low, limit), max(high, limit)
    margin = max((high / low) ** 0.09, 1.9)
    axes.set_xscale("log")
    axes.set_xlim(low / margin, high * margin)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 300 else (1,)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:g}"))
    top = max(row.measurement.high for row in rows) * scale
    bottom = min(row.measurement.low for row in drawn) * scale
    reach = max(top - bottom, 0.02 * scale)
    axes.set_ylim(bottom - 0.12 * reach, top + 0.08 * reach)


def _draw_line(axes: Any, front: Sequence[Row], floor: float, scale: float, palette: Palette) -> None:
    """The front as steps: what quality each latency buys."""
    drawn = [row for row in front if row.measurement.quality >= floor]
    if drawn:
        x = [*(_ms(row) for row in drawn), axes.get_xlim()[1]]
        y = [*(row.measurement.quality * scale for row in drawn), drawn[-1].measurement.quality * scale]
        axes.step(x, y, where="post", color=palette["muted"], linewidth=1.1, alpha=0.75, zorder=2)


def _draw_row(axes: Any, row: Row, story: Story, palette: Palette, place: tuple[float, float, float]) -> None:
    floor, scale, diameter = place
    chosen = row is subject(story)
    colour = palette["accent" if chosen else "dot"]
    x, y = _ms(row), row.measurement.quality * scale
    if row.measurement.quality < floor:
        axes.plot(
            _edge(axes, x),
            axes.get_ylim()[0],
            marker="v",
            color=colour,
            markersize=8,
            clip_on=False,
            zorder=4,
        )
        return
    interval = row_interval(row)
    ends = [interval.low * scale, interval.high * scale]
    axes.plot([x, x], ends, color=colour, linewidth=1.5, alpha=1.0 if chosen else 0.5, zorder=3)
    outside = bool(excesses(row, story.choice.budget))
    axes.plot(
        x,
        y,
        marker="o",
        markersize=diameter,
        color=palette["paper"] if outside else colour,
        markeredgecolor=colour,
        markeredgewidth=1.4,
        alpha=1.0 if chosen or outside else 0.85,
        zorder=5 if chosen else 4,
    )
    if chosen:
        axes.plot(
            x,
            y,
            marker="o",
            markersize=diameter + 8,
            color="none",
            markeredgecolor=colour,
            markeredgewidth=1.6,
        )


def _draw_labels(
    axes: Any,
    rows: Sequence[Row],
    diameters: Sequence[float],
    place: tuple[float, float],
    story: Story,
    palette: Palette,
) -> None:
    floor, scale = place
    pixels = axes.figure.dpi / 72
    frame = axes.get_window_extent()
    texts, spots = [], []
    for row, diameter in zip(rows, diameters, strict=True):
        chosen, low = row is subject(story), row.measurement.quality < floor
        words = f"{row.name} {quality(row.measurement.quality, story.metric)}" if low or chosen else row.name
        style = {"fontsize": 10 if chosen else 9, "fontweight": "bold" if chosen else "normal"}
        text = axes.text(
            0, 0, words, color=palette["accent" if chosen else "ink"], ha="left", va="bottom", **style
        )
        extent = text.get_window_extent()
        y = axes.get_ylim()[0] if low else row.measurement.quality * scale
        x = _edge(axes, _ms(row))
        px, py = axes.transData.transform((x, y))
        radius = (7 if low else diameter + 8 * chosen) / 2 * pixels
        texts.append(text)
        spots.append(Spot(px, py, radius, extent.width, extent.height))
    boxes = place_labels(spots, (frame.x0, frame.y0, frame.x1, frame.y1), _lines(axes))
    for text, spot, box in zip(texts, spots, boxes, strict=True):
        text.set_position(axes.transData.inverted().transform(box[:2]))
        text.set_zorder(6)
        _draw_leader(axes, spot, box, palette)


def _edge(axes: Any, x: float) -> float:
    """`x`, or the place beside the left edge for what lies beyond it."""
    left, right = (float(end) for end in axes.get_xlim())
    edge: float = left * (right / left) ** 0.025
    return max(x, edge)


def _lines(axes: Any) -> list[Box]:
    """The straight pieces of all lines in the axes, as thin boxes in pixels."""
    boxes = []
    for line in axes.lines:
        points = axes.transData.transform(line.get_path().vertices)
        for (x0, y0), (x1, y1) in pairwise(points):
            boxes.append((min(x0, x1) - 1, min(y0, y1) - 1, max(x0, x1) + 1, max(y0, y1) + 1))
    return boxes


def _draw_leader(axes: Any, spot: Spot, box: Box, palette: Palette) -> None:
    """A thin line from the bubble to a label that had to move away from it."""
    x = min(max(spot.x, box[0]), box[2])
    y = min(max(spot.y, box[1]), box[3])
    distance = math.hypot(x - spot.x, y - spot.y)
    if distance <= spot.radius + 14:
        return
    start = spot.radius / distance
    ends = [(spot.x + (x - spot.x) * start, spot.y + (y - spot.y) * start), (x, y)]
    (x0, y0), (x1, y1) = axes.transData.inverted().transform(ends)
    axes.plot([x0, x1], [y0, y1], color=palette["muted"], linewidth=0.7, zorder=3)


def _ms(row: Row) -> float:
    return max(row.measurement.p95_ms, FASTEST_MS)


def _diameter(row: Row, largest: float) -> float:
    """In points; the area is proportional to the artifact's size, down to a smallest visible bubble."""
    return max(SMALLEST, LARGEST * math.sqrt(row.measurement.size_mb / largest)) if largest > 0 else SMALLEST
