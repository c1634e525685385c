"""The model card in Markdown: what the model is for, what it learned from, how good it is, what it costs."""

from __future__ import annotations

from collections.abc import Iterator

from gradatim.ladder.figures import (
    count,
    metric_name,
    quality,
    row_interval,
    seconds,
    short,
    span,
    thousands,
)
from gradatim.ladder.records import Row, Story
from gradatim.ladder.report.answer import answer, limits, subject
from gradatim.types import Task

LISTED = 30  # labels that are spelled out


def model_card(story: Story) -> str:
    """Markdown for the chosen model, or for the nearest if nothing fits (Mitchell et al. 2019)."""
    row = subject(story)
    parts = (
        (row.name, [answer(story)]),
        ("Intended use", _use(story)),
        ("Data", _data(story)),
        ("Quality", _quality(row, story)),
        ("Measured cost", _cost(row, story)),
        ("Limits", _limits(row, story)),
        ("How it was made", _making(row, story)),
    )
    blocks = []
    for depth, (title, lines) in enumerate(parts):
        blocks.append(f"{'#' if depth == 0 else '##'} {_plain(title)}\n\n" + "\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def _use(story: Story) -> Iterator[str]:
    task = story.corpus.task
    named = ", ".join(f"`{_code(label)}`" for label in task.labels[:LISTED])
    more = len(task.labels) - LISTED
    what = "a pair of texts" if task.pairs else "a text"
    which = "every label that applies" if task.multi_label else "one label"
    yield (
        f"Gives {what} {which} out of {len(task.labels)}: {named}"
        + (f" and {more} more" if more > 0 else "")
        + ". Meant for texts like those it learned from; it runs on a CPU without PyTorch."
    )


def _data(story: Story) -> Iterator[str]:
    corpus = story.corpus
    yield from _list(
        {
            "name": corpus.name,
            "licence": corpus.licence,
            "citation": corpus.citation,
            "sha256": corpus.digest,
            "train": count(len(corpus.train), "example"),
            "dev": count(len(corpus.dev), "example"),
            "test": count(len(corpus.test), "example") if corpus.test is not None else "none",
        }
    )
    yield from (f"- {_plain(note)}" for note in corpus.notes)


def _quality(row: Row, story: Story) -> Iterator[str]:
    name = metric_name(story.metric)
    yield f"| split | {name} | 95 % interval |"
    yield "|---|---:|---:|"
    tested = [("test", result.quality) for result in story.tests if result.name == row.name]
    for split, figure in [("dev", row_interval(row)), *tested]:
        yield f"| {split} | {quality(figure.value, story.metric)} | {span(figure, story.metric)} |"
    yield ""
    yield "Intervals are bootstrap percentiles over the examples. The model was chosen on dev" + (
        "; test was touched once, after the choice." if tested else ", and there is no test figure."
    )
    yield from (
        f"- {_plain(key)} on dev: {value:.4f}" for key, value in sorted(row.measurement.extra.items())
    )


def _cost(row: Row, story: Story) -> Iterator[str]:
    seen = row.measurement
    yield from _list(
        {
            "processor": story.manifest.get("processor", "not recorded"),
            "latency": f"{short(seen.p50_ms)} ms median, {short(seen.p95_ms)} ms p95, one text at a time",
            "throughput": f"{seen.texts_per_s:,.0f} texts per second in batches",
            "size": f"{short(seen.size_mb)} MB, {thousands(row.candidate.params)} weights",
            "peak memory": f"{seen.peak_mb:,.0f} MB",
            "cold start": f"{short(seen.cold_start_s)} s from process start to the first prediction",
            "training": seconds(row.candidate.made_s),
        }
    )


def _limits(row: Row, story: Story) -> Iterator[str]:
    yield f"- {_knows(story.corpus.task)}"
    yield "- Quality on texts of another source, time or language is not known: evaluate on your own first."
    if row.measurement.cut_tokens:
        yield f"- Long texts are cut: {row.measurement.cut_tokens:,} tokens of dev were left out."
    if story.evidence is not None and story.evidence.suspects:
        found = count(len(story.evidence.suspects), "training label")
        yield f"- {found} of {len(story.corpus.train):,} may be wrong; the report lists the most suspect."
    if not story.choice.fits:
        yield f"- It does not fit the budget it was made for ({limits(story.choice.budget)})."


def _knows(task: Task) -> str:
    if task.multi_label:
        return "It knows no other labels than these; it may give none."
    return "It always answers with one of its labels, also where none applies."


def _making(row: Row, story: Story) -> Iterator[str]:
    source = {"made from": row.candidate.source} if row.candidate.source else {}
    budget = {"budget": limits(story.choice.budget)}
    yield from _list({"step": row.candidate.rung, **source, **budget, **story.manifest})
    yield from (f"- {_plain(note)}" for note in row.candidate.notes)


def _list(facts: dict[str, str]) -> Iterator[str]:
    return (f"- {_plain(key)}: {_plain(str(value))}" for key, value in facts.items() if value)


def _plain(text: str) -> str:
    """One line that cannot open a heading, a table cell or HTML."""
    return " ".join(text.split()).replace("<", "&lt;").replace("|", "\\|")


def _code(text: str) -> str:
    return " ".join(text.split()).replace("`", "'")
