"""The report as one HTML file that needs nothing else, and the front as a PNG."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import Any

from gradatim.engine.atomic import atomic_file
from gradatim.ladder.choice import excesses, purchases
from gradatim.ladder.figures import (
    LIMITED,
    metric_name,
    percent,
    quality,
    row_figures,
    seconds,
    short,
    span,
    thousands,
)
from gradatim.ladder.front import latency, pareto_front, size
from gradatim.ladder.learning import would_more_help
from gradatim.ladder.records import Story
from gradatim.ladder.report.analysis import by_length
from gradatim.ladder.report.answer import answer, held_out, limits
from gradatim.ladder.report.canvas import PRINT, SENTINELS, to_png, to_svg
from gradatim.ladder.report.front_picture import draw_front, front_alt
from gradatim.ladder.report.template import load_template
from gradatim.ladder.rung import Goal
from gradatim.wording import count

COMMON = ("front", "candidates", "budgets", "length", "manifest")  # sections of every report
KEPT = 4_000  # characters of a long text in the file at all
CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
PHONE = (4.3, 4.9)  # inches of the front's picture on a narrow screen


def write_report(path: str | Path, story: Story, goal: Goal) -> None:
    """Write the report; an older one at `path` is replaced only when the new one is whole.

    Needs the "train" extra (matplotlib, jinja2).
    """
    with atomic_file(Path(path)) as handle:
        handle.write(render(story, goal).encode("utf-8", "xmlcharrefreplace"))


def write_front_png(path: str | Path, story: Story) -> None:
    """Write the picture of the front, 1,720 pixels wide."""
    with atomic_file(Path(path)) as handle:
        handle.write(to_png(draw_front(story, PRINT), PRINT))


def render(story: Story, goal: Goal) -> str:
    """The whole page as text."""
    words = (answer, held_out, limits, excesses, would_more_help)
    numbers = (count, percent, quality, row_figures, short, span, thousands)
    page = load_template("page.html", autoescape=True).render(
        {function.__name__: function for function in (*words, *numbers)},
        story=story,
        corpus=story.corpus,
        task=story.corpus.task,
        choice=story.choice,
        subject=story.choice.subject,
        evidence=story.evidence,
        metric=metric_name(story.metric),
        style=files("gradatim.ladder.report").joinpath("page.css").read_text("utf-8"),
        LIMITED=LIMITED,
        KEPT=KEPT,
        COMMON=COMMON,
        **_findings(story, goal),
    )
    return re.sub(CONTROL, "\ufffd", page)


def _findings(story: Story, goal: Goal) -> dict[str, Any]:
    """What the sections show, and the titles of those that have something to say."""
    bought, own = purchases(story.rows), goal.findings(story)
    pictures = {
        "wide": to_svg(draw_front(story, SENTINELS), "front-wide", front_alt(story)),
        "narrow": to_svg(draw_front(story, SENTINELS, PHONE), "front-narrow", front_alt(story)),
    }
    titles = {
        "front": "Quality against cost",
        "candidates": "All candidates",
        "budgets": "What each budget would buy" * (sum(map(len, bought.values())) > 1),
        **own.pop("titles"),
        "manifest": "How this was made",
    }
    return {
        **own,
        "rows": sorted(story.rows, key=lambda row: -row.measurement.quality),
        "fronts": [("◆", "latency", pareto_front(story.rows)), ("◇", "size", pareto_front(story.rows, size))],
        "largest_mb": max(map(size, story.rows)),
        "purchases": bought,
        "sizes": [f"{mb:g} MB" for mb in next(iter(bought.values()))],
        "tiles": _tiles(story),
        "pictures": pictures,
        "slices": by_length(story, goal),
        "titles": {name: title for name, title in titles.items() if title},
    }


def _tiles(story: Story) -> list[tuple[str, str, str]]:
    """The chosen model's figures at a glance: what, how much, and a note."""
    row, metric = story.choice.subject, story.metric
    seen, source = row.measurement, row.candidate.source
    return [
        (metric_name(metric), quality(seen.quality, metric), span(row.quality, metric)),
        ("latency, p95", f"{short(latency(row))} ms", f"median {short(seen.p50_ms)} ms"),
        ("throughput", f"{seen.texts_per_s:,.0f}", "texts per second"),
        ("file", f"{short(size(row))} MB", f"{thousands(row.candidate.params)} weights"),
        ("memory", f"{seen.peak_mb:,.0f} MB", f"starts in {seen.cold_start_s:.2f} s"),
        ("training", seconds(story.made_s(row.candidate)), f"{source} included" if source else ""),
    ]
