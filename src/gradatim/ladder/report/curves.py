"""Two small pictures: reliability diagram and learning curve."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gradatim.ladder.figures import PERCENT, metric_name, quality
from gradatim.ladder.learning import expected_quality
from gradatim.ladder.records import LearningPoint
from gradatim.ladder.report.analysis import Bin
from gradatim.ladder.report.canvas import Figure, Palette, new_axes, new_figure

SIZE = (4.6, 3.7)


def draw_reliability(bins: Sequence[Bin], palette: Palette) -> Figure:
    """How often answers are right (y) against how sure they are (x); the diagonal is honest."""
    figure = new_figure(*SIZE)
    axes = new_axes(figure, palette, "confidence (%)", "right (%)")
    axes.plot([0, 100], [0, 100], color=palette["muted"], linewidth=1, linestyle=(0, (4, 3)))
    x = [100 * group.confidence for group in bins]
    y = [100 * group.accuracy for group in bins]
    most = max(group.count for group in bins)
    axes.plot(x, y, color=palette["accent"], linewidth=1.6)
    for at_x, at_y, group in zip(x, y, bins, strict=True):
        size = max(3.5, 15 * (group.count / most) ** 0.5)
        axes.plot(at_x, at_y, marker="o", markersize=size, color=palette["accent"], alpha=0.85)
    low = max(0.0, min(*x, *y) - 8)
    axes.set_xlim(low, 103)
    axes.set_ylim(low, 103)
    return figure


def reliability_alt(bins: Sequence[Bin]) -> str:
    """The reliability diagram in words."""
    said = [f"{100 * b.confidence:.0f} % sure: {100 * b.accuracy:.0f} % right of {b.count:,}" for b in bins]
    return "Reliability diagram. " + "; ".join(said) + "."


def draw_learning(points: Sequence[LearningPoint], metric: str, palette: Palette) -> Figure:
    """Quality of the cheap model against the number of labels, with intervals and the expected way on."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    figure = new_figure(*SIZE)
    scale = 100.0 if metric in PERCENT else 1.0
    unit = " (%)" if metric in PERCENT else ""
    axes = new_axes(figure, palette, "training labels (log scale)", metric_name(metric) + unit)
    n = np.array([point.num_labels for point in points], dtype=np.float64)
    low, middle, high = (
        scale * np.array([getattr(point.quality, part) for point in points])
        for part in ("low", "value", "high")
    )
    axes.set_xscale("log")
    axes.fill_between(n, low, high, color=palette["accent"], alpha=0.14, linewidth=0)
    axes.plot(n, middle, color=palette["accent"], linewidth=1.8, marker="o", markersize=5)
    if len(points) >= 3:
        ahead = np.geomspace(n[-1], 2 * n[-1], 8)
        onward = [scale * expected_quality(points, round(count)) for count in ahead]
        axes.plot(ahead, onward, color=palette["accent"], linewidth=1.6, linestyle=(0, (3, 2)))
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if n[-1] / n[0] < 30 else (1, 3)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:,.0f}"))
    return figure


def learning_alt(points: Sequence[LearningPoint], metric: str) -> str:
    """The learning curve in words."""
    said = [f"{point.num_labels:,} labels {quality(point.quality.value, metric)}" for point in points]
    return "Learning curve. " + "; ".join(said) + "."
