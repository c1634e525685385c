"""The second half of the report: a closer look at the chosen model's answers and at the data."""

from __future__ import annotations

import numpy as np

from gradatim.ladder.figures import count, metric_name, percent, quality, span
from gradatim.ladder.learning import would_more_help
from gradatim.ladder.mistakes import worst_mistakes
from gradatim.ladder.records import Evidence, Mistake, Story, Suspect
from gradatim.ladder.report.analysis import (
    Bin,
    Slice,
    by_length,
    confusion_matrix,
    most_confused,
    reliability,
)
from gradatim.ladder.report.canvas import SENTINELS, to_svg
from gradatim.ladder.report.curves import draw_learning, draw_reliability, learning_alt, reliability_alt
from gradatim.ladder.report.markup import bar, beside, cell, escape, figure, paragraph, quoted, section, table
from gradatim.pipelines.metrics import label_f1, score
from gradatim.types import Array, Task

MATRIX_LABELS = 20
SHOWN = 20
HONEST = 0.01  # mean confidence this near to the accuracy is called honest


def labels_section(story: Story, evidence: Evidence) -> str:
    """Confusion matrix, the most confused pairs of many labels, or F1 per label of a multi-label task."""
    task, dev = story.corpus.task, story.corpus.dev
    if task.multi_label:
        return section("labels", "Every label", _label_bars(story, evidence))
    matrix = confusion_matrix(task, dev.targets, evidence.probabilities)
    many = len(task.labels) > MATRIX_LABELS
    made = _confused_table(task, matrix) if many else _matrix_table(task.labels, matrix)
    return section("labels", "Which labels are confused", made)


def calibration_section(story: Story, evidence: Evidence) -> str:
    """Whether 90 % sure means right nine times in ten."""
    task, dev = story.corpus.task, story.corpus.dev
    bins = reliability(task, dev.targets, evidence.probabilities)
    gap = 100 * score("ece", task, dev.targets, evidence.probabilities)
    off = f"{gap:.1f} points off (expected calibration error over 15 bins"
    if task.multi_label:
        words = f"On average a label's probability is {off}, all labels together)."
    else:
        words = f"On average its confidence is {off}). {_lean(bins)}"
    caption = "On the dashed diagonal, confidence is honest; below it, too high. Larger dots: more answers."
    picture = to_svg(draw_reliability(bins, SENTINELS), "reliability", reliability_alt(bins))
    parts = beside(paragraph(words), figure(picture, caption))
    return section("calibration", "Can its confidence be trusted?", parts)


def length_section(story: Story, evidence: Evidence) -> str:
    """Quality on short, middling and long texts."""
    rows = [
        (
            _range(part, evidence.length_unit),
            bar(part.quality.value, quality(part.quality.value, story.metric)),
            span(part.quality, story.metric),
            f"{part.count:,}",
        )
        for part in by_length(story, evidence)
    ]
    headers = ["length", metric_name(story.metric), "95 %", "texts"]
    caption = "Dev texts in groups of about equal number, from short to long"
    return section("length", "Short texts and long texts", table(headers, rows, caption=caption, css="bars"))


def learning_section(story: Story, evidence: Evidence) -> str:
    """Would more labels help?"""
    points = evidence.learning
    if not points:
        return ""
    alt = learning_alt(points, story.metric)
    picture = to_svg(draw_learning(points, story.metric, SENTINELS), "learning", alt)
    caption = (
        "A linear model trained on growing shares of the training set, judged on dev, with 95 % intervals; "
        "dashed: a power law fitted to the points, up to twice the labels."
    )
    parts = beside(paragraph(would_more_help(points, story.metric)), figure(picture, caption))
    return section("learning", "Would more labels help?", parts)


def mistakes_section(story: Story, evidence: Evidence) -> str:
    """The answers that were most surely wrong."""
    task, dev = story.corpus.task, story.corpus.dev
    worst = worst_mistakes(dev, task, evidence.probabilities, evidence.thresholds, limit=SHOWN)
    title = "The worst mistakes"
    if not worst:
        return section("mistakes", title, paragraph("None: every dev text is answered as labelled."))
    rows = [_case(item, item.gold, ("answer", item.predicted), ("sure", item.probability)) for item in worst]
    caption = (
        f"The {count(len(rows), 'dev text')} on which the model is most sure and wrong, "
        "counted from 1 in the dev split; long texts open on a click"
    )
    headers = ["row", "text", "label", "answer", "sure"]
    return section("mistakes", title, table(headers, rows, caption=caption, css="cases"))


def suspects_section(story: Story, evidence: Evidence) -> str:
    """Training labels that are probably wrong."""
    found, total = evidence.suspects, len(story.corpus.train)
    if not found:
        return ""
    rows = [
        _case(item, item.given, ("more likely", item.likely), ("probability", item.likely_probability))
        for item in found[:SHOWN]
    ]
    words = (
        f"{count(len(found), 'training label')} of {total:,} ({percent(len(found) / total)}) contradict what "
        "the other examples teach a linear model (confident learning, Northcutt et al. 2021). Some are hard "
        "rather than wrong: look before changing them."
    )
    caption = f"The {len(rows)} most suspect, counted from 1 in the training split"
    headers = ["row", "text", "label", "more likely", "probability"]
    made = table(headers, rows, caption=caption, css="cases")
    return section("suspects", "Labels to check", paragraph(words), made)


def _case(
    item: Mistake | Suspect, label: str, other: tuple[str, str], sure: tuple[str, float]
) -> tuple[str, ...]:
    """A row of a table of texts."""
    return (
        str(item.row + 1),
        quoted(item.text, item.pair),
        cell(label, "label"),
        cell(other[1], other[0]),
        cell(percent(sure[1], 0), sure[0]),
    )


def _lean(bins: list[Bin]) -> str:
    answers = sum(group.count for group in bins)
    sure = sum(group.confidence * group.count for group in bins) / answers
    right = sum(group.accuracy * group.count for group in bins) / answers
    lean = "neither too sure nor too modest"
    if abs(sure - right) > HONEST:
        lean = "too sure" if sure > right else "too modest"
    return f"All in all it is {lean}: {percent(sure)} sure, {percent(right)} right."


def _range(part: Slice, unit: str) -> str:
    ends = f"{part.shortest:,}–{part.longest:,}" if part.shortest < part.longest else f"{part.shortest:,}"
    return f"{ends} {escape(unit)}"


def _confused_table(task: Task, matrix: Array) -> str:
    pairs = most_confused(task, matrix)
    if not pairs:
        return paragraph("None: every dev text is answered as labelled.")
    rows = [
        (escape(pair.gold), cell(pair.predicted), f"{pair.count:,}", percent(pair.share, 0)) for pair in pairs
    ]
    headers = ["label", "taken for", "texts", "of the label's texts"]
    caption = f"The most frequent confusions among {len(task.labels)} labels on dev"
    return table(headers, rows, caption=caption, css="words")


def _matrix_table(labels: tuple[str, ...], matrix: Array) -> str:
    own, gold, said = np.diag(matrix), matrix.sum(1), matrix.sum(0)
    rows = []
    for i, label in enumerate(labels):
        cells = [_heat(int(matrix[i, j]), int(gold[i]), wrong=i != j) for j in range(len(labels))]
        rows.append([escape(label), *cells, _share(int(own[i]), int(gold[i])), f"{gold[i]:,}"])
    precision = [_share(int(own[j]), int(said[j])) for j in range(len(labels))]
    rows.append(["precision", *precision, "", ""])
    caption = (
        "Dev texts by label (rows) and answer (columns). Recall: the share of a label's texts that are "
        "found; precision: how often an answer is right."
    )
    return table(["label", *labels, "recall", "texts"], rows, caption=caption, css="matrix")


def _share(part: int, whole: int) -> str:
    return percent(part / whole) if whole else "–"


def _heat(number: int, total: int, wrong: bool) -> str:
    if number == 0:
        return '<td class="zero">0</td>'
    return f'<td class="heat{" wrong" if wrong else ""}" style="--heat:{number / total:.3f}">{number:,}</td>'


def _label_bars(story: Story, evidence: Evidence) -> str:
    dev, labels = story.corpus.dev, story.corpus.task.labels
    f1 = label_f1(dev.targets, evidence.probabilities, evidence.thresholds)
    support = (dev.targets > 0.5).sum(0)
    rows = [
        (escape(labels[i]), bar(float(f1[i]), percent(float(f1[i]))), f"{support[i]:,}")
        for i in np.argsort(-f1, kind="stable")
    ]
    caption = "F1 of every label on dev, best first"
    return table(["label", "F1", "dev texts"], rows, caption=caption, css="bars")
