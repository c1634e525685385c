"""Stories of climbs that never happened, with realistic figures: the tests' raw material."""

from __future__ import annotations

import numpy as np

from gradatim.ladder.choice import choose
from gradatim.ladder.intervals import bootstrap
from gradatim.ladder.learning import learning_curve
from gradatim.ladder.mistakes import suspects
from gradatim.ladder.records import Dropped, Evidence, Row, Story
from gradatim.types import Array, Budget, Candidate, Corpus, Examples, Measurement, Task

GOOD = ["moving", "deft", "warm", "funny", "luminous", "sly", "tender", "bracing"]
BAD = ["tired", "inert", "clumsy", "shrill", "leaden", "glib", "stale", "murky"]
FILLER = ["the film", "a plot", "its cast", "this tale", "the score", "each scene", "the script", "an ending"]

#        name            quality  p95_ms    MB  RAM   texts/s  train_s   params source
LADDER = [
    ("majority", 0.509, 0.004, 0.002, 62, 910_000, 0.1, 2, None),
    ("ngram", 0.779, 0.11, 2.4, 71, 11_200, 1.4, 310_000, None),
    ("linear", 0.823, 0.21, 3.1, 74, 8_900, 9.6, 240_000, None),
    ("static", 0.801, 0.09, 5.6, 70, 21_000, 14.0, 1_400_000, None),
    ("bilstm", 0.812, 1.3, 9.8, 110, 1_900, 66.0, 2_400_000, None),
    ("frozen-mean", 0.804, 4.6, 91.2, 264, 402, 31.0, 22_700_000, None),
    ("fine-tuned", 0.879, 4.7, 91.3, 265, 398, 262.0, 22_700_000, None),
    ("fine-tuned-int8", 0.874, 2.4, 23.4, 141, 830, 4.0, 22_700_000, "fine-tuned"),
    ("student-3l", 0.868, 2.4, 69.9, 208, 790, 121.0, 17_400_000, "fine-tuned"),
    ("student-3l-int8", 0.864, 1.2, 17.8, 122, 1_620, 3.0, 17_400_000, "student-3l"),
    ("student-2l-int8", 0.851, 0.88, 16.1, 118, 2_300, 3.0, 15_600_000, "student-2l"),
]  # fmt: skip


def make_row(
    name: str,
    quality: float,
    p95_ms: float,
    size_mb: float,
    peak_mb: float = 100.0,
    texts_per_s: float = 1000.0,
    made_s: float = 10.0,
    params: int = 1_000_000,
    source: str | None = None,
) -> Row:
    """A row whose interval is 2.2 points to either side."""
    seen = Measurement(
        quality=quality,
        low=quality - 0.022,
        high=min(1.0, quality + 0.022),
        p50_ms=0.62 * p95_ms,
        p95_ms=p95_ms,
        texts_per_s=texts_per_s,
        size_mb=size_mb,
        peak_mb=peak_mb,
        cold_start_s=0.21,
    )
    return Row(Candidate(name, name, f"{name}.gradatim", made_s, params, source), seen)


def ladder_rows() -> list[Row]:
    """The eleven candidates of a typical binary climb."""
    return [make_row(*figures) for figures in LADDER]


def make_task(labels: int = 2, *, multi_label: bool = False, pairs: bool = False) -> Task:
    """`negative`, `positive`, or as many named labels as asked for."""
    names = ("negative", "positive") if labels == 2 else tuple(f"label-{i:02d}" for i in range(labels))
    return Task(names, multi_label, pairs)


def make_examples(task: Task, n: int, rng: np.random.Generator) -> Examples:
    """Sentences of 3 to 60 words; every label occurs if n allows it."""
    if task.multi_label:
        targets = (rng.random((n, len(task.labels))) < 0.12).astype(np.float32)
    else:
        targets = rng.permutation(np.arange(n) % len(task.labels))
    words = [
        " ".join(
            f"{rng.choice(FILLER)} is {rng.choice(GOOD if rng.random() < 0.5 else BAD)}" for _ in range(size)
        )
        for size in rng.integers(1, 15, n)
    ]
    return Examples(words, words[::-1] if task.pairs else None, targets)


def make_answers(task: Task, targets: Array, rng: np.random.Generator, strength: float = 2.0) -> Array:
    """Probabilities (n, labels) that lean towards the targets."""
    truth = targets if task.multi_label else np.eye(len(task.labels))[targets]
    logits = strength * 2 * (truth - 0.5 * task.multi_label) + rng.normal(0, 1.3, truth.shape)
    if task.multi_label:
        return (1 / (1 + np.exp(-logits))).astype(np.float32)
    shares = np.exp(logits)
    return (shares / shares.sum(1, keepdims=True)).astype(np.float32)


def make_story(
    task: Task | None = None,
    *,
    rows: list[Row] | None = None,
    budget: Budget | None = None,
    metric: str = "accuracy",
    with_test: bool = True,
    seed: int = 0,
) -> Story:
    """A story with everything in it."""
    rng = np.random.default_rng(seed)
    task = task or make_task()
    train, dev, test = (make_examples(task, n, rng) for n in (400, 240, 240))
    answers = make_answers(task, dev.targets, rng)
    signal = train.targets if task.multi_label else np.eye(len(task.labels))[train.targets]
    features = np.hstack([signal, np.zeros((400, 4))]) + rng.normal(0, 0.7, (400, len(task.labels) + 4))
    rows = rows if rows is not None else ladder_rows()
    choice = choose(rows, budget or Budget(max_ms=2.0, max_mb=25.0))
    named = [row.name for row in (choice.chosen, choice.runner_up) if row is not None]
    results = {name: bootstrap(metric, task, dev.targets, answers) for name in named}
    corpus = Corpus(
        "sst2", task, train, dev, test if with_test else None, ("12 duplicates kept on one side",), "ab" * 32
    )
    return Story(
        corpus=corpus,
        metric=metric,
        rows=rows,
        choice=choice,
        evidence=Evidence(
            answers,
            None,
            np.array([len(text.split()) for text in dev.texts]),
            "words",
            learning=learning_curve(
                features[:300], train.targets[:300], features[300:], train.targets[300:], task, metric
            ),
            suspects=suspects(train, features, task),
        ),
        manifest={
            "processor": "Zen 5, 2 cores",
            "seed": "0",
            "command": "gradatim fit sst2 --max-ms 2 --max-mb 25",
        },
        dropped=(
            Dropped("students of a larger teacher", "estimated 14 min, 3 min of --max-train-min left"),
            Dropped("bilstm-int8", "no faster than its source (1.3 ms against 1.3 ms)", "refused"),
        ),
        tests=results if with_test else {},
    )
