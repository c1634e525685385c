"""What the report shows of a model that answers: questions with its answers in their contexts, and its worst ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from gradatim.ladder.figures import metric_name, percent
from gradatim.ladder.records import Story
from gradatim.pipelines.judged import asked_choices, choice_scores, span_scores, wanted_spans
from gradatim.types import Array

EXAMPLES, WORST = 8, 20
AROUND = 160  # characters that are shown on both sides of the answers
BOTH, WANTED, SAID = "wanted, said", "wanted", "said"

Pieces = list[tuple[str, str]]  # parts of a context, and what they are; "" where nothing is said of them


class Case(NamedTuple):
    """A question with its context, what was wanted and what was said, and how good that is."""

    row: int
    question: str
    pieces: Pieces
    wanted: str
    said: str
    worth: float


def span_findings(story: Story) -> dict[str, Any]:
    """What the sections show, and the titles of those that have something to say."""
    dev, found = story.corpus.dev, story.evidence.found
    worth, wanted = span_scores(dev, found)["f1"], wanted_spans(dev)
    contexts = dev.pairs or ()

    def case(row: int) -> Case:
        context, said = contexts[row], (int(found["starts"][row]), int(found["ends"][row]))
        texts = dict.fromkeys(context[start:end] for start, end in wanted[row])
        return Case(
            row, dev.texts[row], marked(context, wanted[row], said), " / ".join(texts), context[slice(*said)],
            float(worth[row]),
        )  # fmt: skip

    return _findings(story, case, worth, found["scores"])


def choice_findings(story: Story) -> dict[str, Any]:
    """The same of choices."""
    dev, found = story.corpus.dev, story.evidence.found
    worth, pairs = choice_scores(dev, found), dev.pairs or ()

    def case(row: int) -> Case:
        question, choices = asked_choices(pairs[row])
        wanted, said = choices[int(dev.targets[row])], choices[int(found["chosen"][row])]
        asked = f"{question} ({' / '.join(choices)})"
        return Case(row, asked, [(dev.texts[row], "")], wanted, said, float(worth[row]))

    return _findings(story, case, worth, found["scores"])


def _findings(story: Story, case: Callable[[int], Case], worth: Array, sure: Array) -> dict[str, Any]:
    """Some answers drawn at random, and of the worst those first that the model is surest of."""
    some = np.random.default_rng(0).permutation(len(worth))[:EXAMPLES]
    worst = [row for row in np.lexsort((-sure, worth)).tolist() if worth[row] < 1][:WORST]
    return {
        "kind": "questions",
        "learned_from": "questions with answers",
        "sections": "answers.html",
        "titles": {
            "examples": "What it answers",
            "measures": "By every measure",
            "length": "Short contexts and long contexts",
            "mistakes": "The worst answers",
        },
        "scored": [
            (metric_name(name), value, percent(value))
            for name, value in story.choice.subject.measurement.extra.items()
        ],
        "shown": list(map(case, np.sort(some).tolist())),
        "worst": list(map(case, worst)),
    }


def marked(context: str, wanted: Sequence[tuple[int, int]], said: tuple[int, int]) -> Pieces:
    """A context cut where answers begin and end, around which some of it is left."""
    places = [place for place in (*wanted, said) if place[0] < place[1]]
    first = max(0, min((start for start, _ in places), default=0) - AROUND)
    last = min(len(context), max((end for _, end in places), default=AROUND) + AROUND)
    edges = sorted({first, last, *(edge for place in places for edge in place)})
    pieces: Pieces = [("… ", "")] * (first > 0)
    for start, end in pairwise(edges):
        ours = said[0] <= start and end <= said[1]
        theirs = any(begin <= start and end <= stop for begin, stop in wanted)
        pieces.append((context[start:end], BOTH if ours and theirs else SAID if ours else WANTED * theirs))
    return pieces + [(" …", "")] * (last < len(context))
