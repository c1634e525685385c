"""What the report shows of a tagger: kinds of entities, what is taken for what, and its worst sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from gradatim.ladder.records import Story
from gradatim.ladder.report.analysis import Confusion
from gradatim.pipelines.matches import (
    RIGHT,
    SAID,
    WANTED,
    WORDS,
    WORDS_RIGHT,
    Tags,
    by_kind,
    counts,
    measure,
    said_tags,
    wanted_tags,
)
from gradatim.pipelines.tagging import chunks
from gradatim.types import Array, Examples
from gradatim.wording import count

WORST, MOST = 20, 15  # sentences and confusions that are shown
NOTHING, MOVED = "(nothing)", "(other borders)"

Pieces = list[tuple[str, str]]  # words that belong together, and their tag; "" where they have none


def findings(story: Story) -> dict[str, Any]:
    """What the sections show, and the titles of those that have something to say."""
    task, dev, evidence = story.corpus.task, story.corpus.dev, story.evidence
    said, wanted = said_tags(task, evidence.tags, evidence.lengths), wanted_tags(dev)
    rows = counts(said, wanted)
    marked = task.marks_entities
    kinds = sorted({tag[2:] for tag in task.labels} - {""}) if marked else task.labels
    confusions = _confusions(said, wanted, entities=marked)
    return {
        "kind": "sentences",
        "learned_from": f"sentences with {count(len(kinds), 'kind')} of {'entities' if marked else 'tags'}",
        "sections": "tags.html",
        "titles": {
            "labels": "Every kind of entity" if marked else "Every tag",
            "taken": "What is taken for what" * bool(confusions),
            "length": "Short texts and long texts",
            "mistakes": "The worst sentences",
        },
        "marked": marked,
        "kinds": _kinds(said, wanted, entities=marked),
        "confusions": confusions,
        "worst": list(_worst(dev, said, wanted, rows, entities=marked)),
    }


def _kinds(said: Tags, wanted: Tags, *, entities: bool) -> list[tuple[str, float, float, float, int]]:
    """Kind, F1, precision, recall and how many are wanted, best first."""
    found = []
    for kind, summed in by_kind(said, wanted, entities=entities).items():
        f1, precision, recall = (float(measure(name, summed)) for name in ("f1", "precision", "recall"))
        found.append((kind, f1, precision, recall, int(summed[WANTED])))
    return sorted(found, key=lambda row: -row[1])


def _confusions(said: Tags, wanted: Tags, *, entities: bool) -> list[Confusion]:
    """The most frequent ways to be wrong: an entity of another kind, with other borders, missed or invented."""
    found: Counter[tuple[str, str]] = Counter()
    totals: Counter[str] = Counter()
    for ours, theirs in zip(said, wanted, strict=True):
        pairs = list(_taken(ours, theirs)) if entities else list(zip(theirs, ours, strict=True))
        found.update(pair for pair in pairs if pair[0] != pair[1])
        totals.update(gold for gold, _ in pairs)
    return [
        Confusion(gold, taken, number, number / totals[gold])
        for (gold, taken), number in sorted(found.items(), key=lambda item: (-item[1], item[0]))[:MOST]
    ]


def _taken(said: Sequence[str], wanted: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each wanted entity with what it is taken for, and each said one that touches no wanted one."""
    ours, theirs = list(chunks(said)), list(chunks(wanted))
    same = {(begin, end): label for label, begin, end in ours}
    for label, begin, end in theirs:
        touching = any(start < end and begin < stop for _, start, stop in ours)
        yield label, same.get((begin, end), MOVED if touching else NOTHING)
    for label, start, stop in ours:
        if not any(start < end and begin < stop for _, begin, end in theirs):
            yield NOTHING, label


def _worst(
    dev: Examples, said: Tags, wanted: Tags, rows: Array, *, entities: bool
) -> Iterator[tuple[int, Pieces, Pieces, int]]:
    """Row, what is wanted, what is said, and how much of it is wrong, most first."""
    wrong = (
        rows[:, SAID] + rows[:, WANTED] - 2 * rows[:, RIGHT]
        if entities
        else rows[:, WORDS] - rows[:, WORDS_RIGHT]
    )
    for row in np.argsort(-wrong, kind="stable")[:WORST].tolist():
        if wrong[row]:
            words = dev.texts[row].split(" ")
            sides = (_pieces(words, side[row], entities=entities) for side in (wanted, said))
            yield row, *sides, int(wrong[row])


def _pieces(words: Sequence[str], tags: Sequence[str], *, entities: bool) -> Pieces:
    """A sentence with its entities marked, or with every word's tag."""
    if not entities:
        return list(zip(words, tags, strict=True))
    pieces, done = [], 0
    for label, begin, end in chunks(tags):
        pieces += [(word, "") for word in words[done:begin]] + [(" ".join(words[begin:end]), label)]
        done = end
    return pieces + [(word, "") for word in words[done:]]
