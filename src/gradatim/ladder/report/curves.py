"""Two small pictures: reliability diagram and learning curve."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gradatim.ladder.figures import PERCENT, quality, with_unit
from gradatim.ladder.learning import expected_quality
from gradatim.ladder.records import LearningPoint
from gradatim.ladder.report.analysis import Bin
from gradatim.ladder.report.canvas import SENTINELS, log_ticks, new_axes, to_svg
from gradatim.wording import count

SIZE = (4.6, 3.7)


def reliability_svg(bins: Sequence[Bin]) -> str:
    """How often answers are right (y) against how sure they are (x); the diagonal is honest."""
    axes = new_axes(SIZE, SENTINELS, "confidence (%)", "right (%)")
    colour = SENTINELS["accent"]
    axes.plot([0, 100], [0, 100], color=SENTINELS["muted"], linewidth=1, linestyle=(0, (4, 3)))
    x = [100 * group.confidence for group in bins]
    y = [100 * group.accuracy for group in bins]
    counts = np.array([group.count for group in bins])
    axes.plot(x, y, color=colour, linewidth=1.6)
    diameters = np.maximum(3.5, 15 * np.sqrt(counts / counts.max()))
    axes.scatter(x, y, s=diameters**2, color=colour, alpha=0.85, zorder=3, clip_on=False)
    low = max(0.0, min(*x, *y) - 8)
    axes.set(xlim=(low, 103), ylim=(low, 103))
    said = [f"{100 * b.confidence:.0f} % sure: {100 * b.accuracy:.0f} % right of {b.count:,}" for b in bins]
    return to_svg(axes.figure, "reliability", f"Reliability diagram. {'; '.join(said)}.")


def learning_svg(points: Sequence[LearningPoint], metric: str) -> str:
    """Quality of the cheap model against the number of labels, with intervals and the expected way on."""
    scale, colour = 100.0 if metric in PERCENT else 1.0, SENTINELS["accent"]
    axes = new_axes(SIZE, SENTINELS, "training labels (log scale)", with_unit(metric))
    n = np.array([point.num_labels for point in points], dtype=np.float64)
    values = scale * np.array([(p.quality.low, p.quality.value, p.quality.high) for p in points])
    axes.set_xscale("log")
    axes.fill_between(n, values[:, 0], values[:, 2], color=colour, alpha=0.14, linewidth=0)
    axes.plot(n, values[:, 1], color=colour, linewidth=1.8, marker="o", markersize=5)
    if len(points) >= 3:
        ahead = np.geomspace(n[-1], 2 * n[-1], 8)
        onward = [scale * expected_quality(points, round(count)) for count in ahead]
        axes.plot(ahead, onward, color=colour, linewidth=1.6, linestyle=(0, (3, 2)))
    log_ticks(axes.xaxis, (1, 2, 5) if n[-1] / n[0] < 30 else (1, 3), ",.0f")
    said = [f"{count(point.num_labels, 'label')} {quality(point.quality.value, metric)}" for point in points]
    return to_svg(axes.figure, "learning", f"Learning curve. {'; '.join(said)}.")
