"""The question answered in one sentence: which model to use, how good it is and what it costs."""

from __future__ import annotations

from gradatim.ladder.figures import metric_name, percent, quality, short, span
from gradatim.ladder.front import latency
from gradatim.ladder.records import Story
from gradatim.types import Budget
from gradatim.wording import count


def answer(story: Story) -> str:
    """One sentence (two if nothing fits); the candidate's name stands in backticks."""
    choice, metric, row = story.choice, story.metric, story.choice.subject
    cost = (
        f"{quality(row.measurement.quality, metric)} {metric_name(metric)} (95 % interval "
        f"{span(row.quality, metric)}), {short(latency(row))} ms per text (p95), "
        f"{short(row.measurement.size_mb)} MB"
    )
    if choice.fits:
        return f"Use `{row.name}`: {cost}{_against_best(story)}."
    advice = " and ".join(choice.reasons[1:]).replace(" -> ", " to ")
    return (
        f"No candidate fits the budget ({limits(choice.budget)}). "
        f"Nearest is `{row.name}`: {cost}. To accept it, {advice}."
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


def held_out(story: Story) -> str:
    """What the test split said, or why it said nothing."""
    test = story.corpus.test
    if test is None:
        return "No test split: these figures are from the dev split, on which the choice was made."
    if not story.tests:
        return "Nothing was chosen, so the test split was not touched: these figures are from the dev split."
    said = [
        f"`{name}` {quality(interval.value, story.metric)} ({span(interval, story.metric)})"
        for name, interval in story.tests.items()
    ]
    return f"On {count(len(test), 'test text')}, touched once: {' and '.join(said)}."


def _against_best(story: Story) -> str:
    """Compared with the best of all candidates, also of those outside the budget."""
    row = story.choice.subject
    best = max(story.rows, key=lambda other: other.measurement.quality)
    if best.name == row.name:
        return f", the best quality of {count(len(story.rows), 'candidate')}" if len(story.rows) > 1 else ""
    kept = row.measurement.quality / best.measurement.quality if best.measurement.quality > 0 else 1.0
    return (
        f": {percent(kept)} of the best model's quality (`{best.name}`) {_at(latency(row) / latency(best))}"
    )


def _at(share: float) -> str:
    """A share of a latency as a person says it: `at 1/6 of its latency`, `at 70 % of its latency`."""
    if share > 1.05:
        return f"at {short(share)} times its latency"
    if share >= 0.95:
        return "for as much latency"
    parts = round(1 / share)
    told = f"1/{parts:,}" if parts > 1 and abs(share * parts - 1) <= 0.1 else percent(share, 0)
    return f"at {told} of its latency"
