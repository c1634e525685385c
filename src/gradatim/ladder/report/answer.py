"""The question answered in one sentence: which model to use, how good it is and what it costs."""

from __future__ import annotations

from gradatim.ladder.figures import count, fraction, metric_name, quality, row_interval, short, span
from gradatim.ladder.records import Row, Story
from gradatim.types import Budget


def subject(story: Story) -> Row:
    """The row the story is about: the chosen one, or the nearest if nothing fits."""
    row = story.choice.chosen or story.choice.nearest
    if row is None:
        raise ValueError("a choice names a chosen or a nearest row")
    return row


def answer(story: Story) -> str:
    """One sentence (two if nothing fits); the candidate's name stands in backticks."""
    row = subject(story)
    if not story.choice.fits:
        advice = " and ".join(story.choice.reasons[1:]).replace(" -> ", " to ")
        return (
            f"No candidate fits the budget ({limits(story.choice.budget)}). "
            f"Nearest is `{row.name}`: {cost(row, story.metric)}. To accept it, {advice}."
        )
    return f"Use `{row.name}`: {cost(row, story.metric)}{_against_best(row, story)}."


def cost(row: Row, metric: str) -> str:
    """`85.9 % accuracy (95 % interval 83.5–88.1), 0.9 ms per text (p95), 17 MB`."""
    seen = row.measurement
    return (
        f"{quality(seen.quality, metric)} {metric_name(metric)} "
        f"(95 % interval {span(row_interval(row), metric)}), "
        f"{short(seen.p95_ms)} ms per text (p95), {short(seen.size_mb)} MB"
    )


def limits(budget: Budget) -> str:
    """The budget as the options that state it."""
    options = {
        "--max-ms": budget.max_ms,
        "--max-mb": budget.max_mb,
        "--max-ram-mb": budget.max_ram_mb,
        "--max-train-min": budget.max_train_min,
    }
    said = [f"{option} {value:g}" for option, value in options.items() if value is not None]
    return ", ".join(said) or "no limits"


def held_out_sentence(story: Story) -> str:
    """What the test split said, or that there is none."""
    held_out = story.corpus.test
    if not story.tests or held_out is None:
        return "No test split: these figures are from the dev split, on which the choice was made."
    said = [
        f"`{result.name}` {quality(result.quality.value, story.metric)} "
        f"({span(result.quality, story.metric)})"
        for result in story.tests
    ]
    return f"On {count(len(held_out), 'test text')}, touched once: {' and '.join(said)}."


def standing(row: Row, story: Story) -> list[str]:
    """What the row is in the choice: `chosen`, `nearest`, `runner-up` or nothing."""
    choice = story.choice
    parts = (("chosen", choice.chosen), ("nearest", choice.nearest), ("runner-up", choice.runner_up))
    return [word for word, other in parts if other is row]


def _against_best(row: Row, story: Story) -> str:
    """Compared with the best of all candidates, also of those outside the budget."""
    best = max(story.rows, key=lambda other: other.measurement.quality)
    if best.name == row.name:
        others = len(story.rows) - 1
        return f", the best quality of {count(others + 1, 'candidate')}" if others else ""
    kept = row.measurement.quality / best.measurement.quality if best.measurement.quality > 0 else 1.0
    faster = row.measurement.p95_ms / best.measurement.p95_ms
    at = f"at {fraction(faster)} its latency" if faster < 0.95 else "for as much latency"
    return f": {100 * kept:.1f} % of the best model's quality (`{best.name}`) {at}"
