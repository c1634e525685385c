"""What the report shows of a model that gives labels: confusions, calibration, mistakes, labels to check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gradatim.ladder.figures import percent
from gradatim.ladder.mistakes import worst_mistakes
from gradatim.ladder.records import Story
from gradatim.ladder.report.analysis import Bin, confusion_matrix, most_confused, reliability
from gradatim.ladder.report.curves import learning_svg, reliability_svg
from gradatim.pipelines.metrics import ECE_BINS, label_f1, score
from gradatim.wording import count

HONEST = 0.01  # mean confidence this near to the accuracy is called honest


def findings(story: Story) -> dict[str, Any]:
    """What the sections show, and the titles of those that have something to say."""
    evidence, corpus = story.evidence, story.corpus
    task, targets, answers = corpus.task, corpus.dev.targets, evidence.probabilities
    bins = reliability(task, targets, answers)
    kind = "pairs of texts" if task.pairs else "texts"
    several = ", several per text" if task.multi_label else ""
    return {
        "kind": kind,
        "learned_from": f"labelled {kind} ({count(len(task.labels), 'label')}{several})",
        "sections": "labels.html",
        "titles": {
            "labels": "Every label" if task.multi_label else "Which labels are confused",
            "calibration": "Can its confidence be trusted?",
            "length": "Short texts and long texts",
            "learning": "Would more labels help?" * bool(evidence.learning),
            "mistakes": "The worst mistakes",
            "suspects": "Labels to check" * bool(evidence.suspects),
        },
        "reliability_picture": reliability_svg(bins),
        "learning_picture": learning_svg(evidence.learning, story.metric) if evidence.learning else "",
        "calibration_words": _calibration(story, bins),
        "worst": worst_mistakes(corpus.dev, task, answers, evidence.thresholds),
        **_labels(story),
    }


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
