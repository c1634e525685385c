"""The report as one HTML file that needs nothing else, and the front as a PNG."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from gradatim.engine.atomic import atomic_file
from gradatim.ladder.choice import excesses, purchases
from gradatim.ladder.figures import (
    LIMITED,
    count,
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
from gradatim.ladder.mistakes import worst_mistakes
from gradatim.ladder.records import Story
from gradatim.ladder.report.analysis import Bin, by_length, confusion_matrix, most_confused, reliability
from gradatim.ladder.report.answer import answer, held_out, limits
from gradatim.ladder.report.canvas import PRINT, SENTINELS, to_png, to_svg
from gradatim.ladder.report.curves import learning_svg, reliability_svg
from gradatim.ladder.report.front_picture import draw_front, front_alt
from gradatim.ladder.report.template import load_template
from gradatim.pipelines.metrics import ECE_BINS, label_f1, score

KEPT = 4_000  # characters of a long text in the file at all
HONEST = 0.01  # mean confidence this near to the accuracy is called honest
CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
PHONE = (4.3, 4.9)  # inches of the front's picture on a narrow screen


def write_report(path: str | Path, story: Story) -> None:
    """Write the report; an older one at `path` is replaced only when the new one is whole.

    Needs the "train" extra (matplotlib, jinja2).
    """
    with atomic_file(Path(path)) as handle:
        handle.write(render(story).encode("utf-8", "xmlcharrefreplace"))


def write_front_png(path: str | Path, story: Story) -> None:
    """Write the picture of the front, 1,720 pixels wide."""
    with atomic_file(Path(path)) as handle:
        handle.write(to_png(draw_front(story, PRINT), PRINT))


def render(story: Story) -> str:
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
        **_findings(story),
    )
    return re.sub(CONTROL, "\ufffd", page)


def _findings(story: Story) -> dict[str, Any]:
    """What the sections show, and the titles of those that have something to say."""
    evidence, corpus, bought = story.evidence, story.corpus, purchases(story.rows)
    task, targets, answers = corpus.task, corpus.dev.targets, story.evidence.probabilities
    bins = reliability(task, targets, answers)
    pictures = {
        "wide": to_svg(draw_front(story, SENTINELS), "front-wide", front_alt(story)),
        "narrow": to_svg(draw_front(story, SENTINELS, PHONE), "front-narrow", front_alt(story)),
        "reliability": reliability_svg(bins),
        "learning": learning_svg(evidence.learning, story.metric) if evidence.learning else "",
    }
    titles = {
        "front": "Quality against cost",
        "candidates": "All candidates",
        "budgets": "What each budget would buy" * (sum(map(len, bought.values())) > 1),
        "labels": "Every label" if task.multi_label else "Which labels are confused",
        "calibration": "Can its confidence be trusted?",
        "length": "Short texts and long texts",
        "learning": "Would more labels help?" * bool(evidence.learning),
        "mistakes": "The worst mistakes",
        "suspects": "Labels to check" * bool(evidence.suspects),
        "manifest": "How this was made",
    }
    return {
        "rows": sorted(story.rows, key=lambda row: -row.measurement.quality),
        "fronts": [("◆", "latency", pareto_front(story.rows)), ("◇", "size", pareto_front(story.rows, size))],
        "largest_mb": max(map(size, story.rows)),
        "purchases": bought,
        "sizes": [f"{mb:g} MB" for mb in next(iter(bought.values()))],
        "calibration_words": _calibration(story, bins),
        "slices": by_length(story),
        "worst": worst_mistakes(corpus.dev, task, answers, evidence.thresholds),
        "tiles": _tiles(story),
        "pictures": pictures,
        "titles": {name: title for name, title in titles.items() if title},
        **_labels(story),
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
        ("training", seconds(row.candidate.made_s), f"from {source}" if source else ""),
    ]


def _labels(story: Story) -> dict[str, Any]:
    """F1 of every label of a multi-label task, else what is confused with what."""
    task, targets, evidence = story.corpus.task, story.corpus.dev.targets, story.evidence
    if task.multi_label:
        f1 = label_f1(targets, evidence.probabilities, evidence.thresholds)
        support = (targets > 0.5).sum(0)
        return {"label_scores": [(task.labels[i], f1[i], support[i]) for i in np.argsort(-f1, kind="stable")]}
    matrix = confusion_matrix(task, targets, evidence.probabilities)
    return {"confusion": matrix, "confusions": most_confused(task, matrix)}


def _calibration(story: Story, bins: Sequence[Bin]) -> str:
    """Whether 90 % sure means right nine times in ten."""
    task, answers = story.corpus.task, story.evidence.probabilities
    gap = 100 * score("ece", task, story.corpus.dev.targets, answers)
    off = f"{gap:.1f} points off (expected calibration error over {ECE_BINS} bins"
    if task.multi_label:
        return f"On average a label's probability is {off}, all labels together)."
    counts = [group.count for group in bins]
    sure = float(np.average([group.confidence for group in bins], weights=counts))
    right = float(np.average([group.accuracy for group in bins], weights=counts))
    lean = "too sure" if sure > right else "too modest"
    if abs(sure - right) <= HONEST:
        lean = "neither too sure nor too modest"
    return (
        f"On average its confidence is {off}). "
        f"All in all it is {lean}: {percent(sure)} sure, {percent(right)} right."
    )
