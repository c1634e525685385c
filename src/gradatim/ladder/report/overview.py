"""The first half of the report: figures, front, all candidates, what each budget buys, manifest."""

from __future__ import annotations

from gradatim.ladder.choice import Purchase, excesses, purchases
from gradatim.ladder.figures import count, metric_name, quality, row_interval, seconds, short, span, thousands
from gradatim.ladder.front import latency, pareto_front, size
from gradatim.ladder.records import Row, Story
from gradatim.ladder.report.answer import answer, held_out_sentence, limits, standing, subject
from gradatim.ladder.report.canvas import SENTINELS, to_svg
from gradatim.ladder.report.front_picture import draw_front, front_alt
from gradatim.ladder.report.markup import escape, figure, paragraph, prose, section, table


def headline(story: Story) -> str:
    """The answer as HTML."""
    return prose(answer(story))


def lead(story: Story) -> str:
    """What stands right under the answer: the test split, the data, cut texts."""
    row, corpus = subject(story), story.corpus
    kind = "pairs of texts" if corpus.task.pairs else "texts"
    labels = count(len(corpus.task.labels), "label")
    several = ", several per text" if corpus.task.multi_label else ""
    parts = [
        paragraph(held_out_sentence(story)),
        paragraph(
            f"Learned from {len(corpus.train):,} labelled {kind} ({labels}{several}), judged by "
            f"{metric_name(story.metric)} on {len(corpus.dev):,} dev {kind}"
            + (f", measured on {processor}." if (processor := story.manifest.get("processor")) else ".")
        ),
    ]
    if row.measurement.cut_tokens:
        parts.append(
            paragraph(f"{row.measurement.cut_tokens:,} tokens of long dev texts were left out.", "warn")
        )
    return "\n".join(parts)


def tiles(story: Story) -> str:
    """The chosen model's figures at a glance."""
    row = subject(story)
    seen = row.measurement
    shown = (
        (
            metric_name(story.metric),
            quality(seen.quality, story.metric),
            span(row_interval(row), story.metric),
        ),
        ("latency, p95", f"{short(seen.p95_ms)} ms", f"median {short(seen.p50_ms)} ms"),
        ("throughput", f"{seen.texts_per_s:,.0f}", "texts per second"),
        ("file", f"{short(seen.size_mb)} MB", f"{thousands(row.candidate.params)} weights"),
        ("memory", f"{seen.peak_mb:,.0f} MB", f"starts in {short(seen.cold_start_s)} s"),
        (
            "training",
            seconds(row.candidate.made_s),
            f"from {row.candidate.source}" if row.candidate.source else "",
        ),
    )
    return (
        '<dl class="tiles">'
        + "".join(
            f"<div><dt>{escape(name)}</dt><dd>{escape(value)}<small>{escape(note)}</small></dd></div>"
            for name, value, note in shown
        )
        + "</dl>"
    )


def front_section(story: Story) -> str:
    """The picture, in two shapes: for a screen and for a phone."""
    alt = front_alt(story)
    wide = to_svg(draw_front(story, SENTINELS), "front-wide", alt)
    narrow = to_svg(draw_front(story, SENTINELS, 4.3, 4.9), "front-narrow", alt)
    caption = (
        "Up is better, left is faster. A bubble's area is the size of its file, the bar its 95 % interval; "
        "the steps are the front: no candidate beats these in both. Ringed: "
        + ("chosen" if story.choice.fits else "nearest to the budget")
        + ". Hollow: over a limit of the budget. Triangle: far below the picture. The largest bubble is "
        + f"{short(max(row.measurement.size_mb for row in story.rows))} MB."
    )
    why = " ".join(_sentence(reason) for reason in story.choice.reasons) if story.choice.fits else ""
    picture = f'<div class="wide">{wide}</div>\n<div class="narrow">{narrow}</div>'
    words = paragraph(f"Budget: {limits(story.choice.budget)}. {why}".strip())
    return section("front", "Quality against cost", figure(picture, caption), words)


def candidates_section(story: Story) -> str:
    """Every candidate with its figures, best quality first, then what was skipped or refused and why."""
    rows = sorted(story.rows, key=lambda row: -row.measurement.quality)
    headers = ["candidate", metric_name(story.metric), "95 %", "p50 ms", "p95 ms", "texts/s", "MB", "RAM MB"]
    headers += ["start s", "train", "weights", "made from"]
    measured = table(
        headers,
        [_cells(row, story) for row in rows],
        caption="All candidates, measured in their exported form, each in a fresh process. p50 and p95: one "
        "text at a time, tokeniser included. On the front of quality and latency ◆, of quality and size ◇; "
        "over the budget ▲.",
        picked=[row is subject(story) for row in rows],
    )
    notes = [f"`{row.name}`: {note}" for row in rows for note in row.candidate.notes]
    dropped = [(escape(item.name), escape(item.kind), escape(item.why)) for item in story.dropped]
    refused = (
        table(["candidate", "", "why"], dropped, caption="Not in the race", css="words") if dropped else ""
    )
    return section("candidates", "All candidates", measured, *(paragraph(note) for note in notes), refused)


def purchases_section(story: Story) -> str:
    """A grid of latency and size limits, and what each would buy."""
    bought = purchases(story.rows)
    if len(bought) < 2:
        return ""
    sizes = sorted({purchase.max_mb for purchase in bought})
    rows = []
    for ms in sorted({purchase.max_ms for purchase in bought}):
        cells = [_bought(purchase, story) for purchase in bought if purchase.max_ms == ms]
        rows.append([f"{ms:g} ms", *cells])
    return section(
        "budgets",
        "What each budget would buy",
        table(
            ["up to", *(f"{mb:g} MB" for mb in sizes)],
            rows,
            caption="The candidate that would be chosen under each limit on latency (p95 per text, rows) and "
            "on file size (columns). Limits that change nothing are left out.",
            css="words",
        ),
    )


def manifest_section(story: Story) -> str:
    """Where the figures come from: data, seeds, versions, processor, command."""
    corpus = story.corpus
    sizes = f"train {len(corpus.train):,}, dev {len(corpus.dev):,}"
    sizes += f", test {len(corpus.test):,}" if corpus.test is not None else ""
    facts = {"data": corpus.name, "splits": sizes, "sha256 of data": corpus.digest, "licence": corpus.licence}
    facts |= {"citation": corpus.citation, **story.manifest}
    rows = [(escape(key), escape(str(value))) for key, value in facts.items() if value]
    notes = [paragraph(_sentence(note)) for note in corpus.notes]
    made = table(
        ["what", "value"], rows, caption="What is needed to climb this ladder again", css="words facts"
    )
    return section("manifest", "How this was made", *notes, made)


def _cells(row: Row, story: Story) -> list[str]:
    seen, over = row.measurement, excesses(row, story.choice.budget)
    marks = "".join(
        f' <span title="on the front of quality and {name}">{mark}</span>'
        for mark, name, cost in (("◆", "latency", latency), ("◇", "size", size))
        if row in pareto_front(story.rows, cost)
    )
    tags = "".join(f'<span class="tag {word}">{word}</span>' for word in standing(row, story))
    return [
        f"{escape(row.name)}{marks}{tags}",
        quality(seen.quality, story.metric),
        span(row_interval(row), story.metric),
        short(seen.p50_ms),
        _limited(short(seen.p95_ms), "--max-ms" in over),
        f"{seen.texts_per_s:,.0f}",
        _limited(short(seen.size_mb), "--max-mb" in over),
        _limited(f"{seen.peak_mb:,.0f}", "--max-ram-mb" in over),
        short(seen.cold_start_s),
        seconds(row.candidate.made_s),
        thousands(row.candidate.params),
        escape(row.candidate.source or "–"),
    ]


def _limited(figure: str, over: bool) -> str:
    return f'<td class="over" title="over the budget">▲ {figure}</td>' if over else figure


def _bought(purchase: Purchase, story: Story) -> str:
    if purchase.row is None:
        return '<td class="zero">–</td>'
    figure = quality(purchase.row.measurement.quality, story.metric)
    pick = " pick" if purchase.row is subject(story) else ""
    return f'<td class="left{pick}">{escape(purchase.row.name)}<br><small>{figure}</small></td>'


def _sentence(words: str) -> str:
    """With a capital letter and a full stop; a candidate's name keeps its own spelling."""
    start, _, rest = words.partition(" ")
    start = start.capitalize() if start.isalpha() and start.islower() else start
    return f"{start} {rest}".strip().rstrip(".") + "."
