"""`gradatim.fit`: labelled text and a budget in, the smallest model that is good enough out."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gradatim.data import (
    is_answered,
    is_chosen,
    is_parallel,
    is_tagged,
    load_answered,
    load_chosen,
    load_corpus,
    load_tagged,
    load_written,
)
from gradatim.engine.artifact import rewrite_artifact
from gradatim.engine.atomic import atomic_file
from gradatim.engine.processor import available_cores
from gradatim.errors import BudgetError, ConfigError, GradatimError
from gradatim.ladder.card import model_card
from gradatim.ladder.choice import choose
from gradatim.ladder.climb import climb
from gradatim.ladder.evidence import test_results
from gradatim.ladder.goals import goal_of
from gradatim.ladder.machine import described, manifest, version
from gradatim.ladder.plan import Plan, check_early, named_rungs, parse_options
from gradatim.ladder.records import Choice, Story
from gradatim.ladder.report.page import write_front_png, write_report
from gradatim.ladder.rung import Problem, Rung, Settings
from gradatim.ladder.state import ClimbFolder, climbing_alone, disk_faults
from gradatim.ladder.table import LadderTable
from gradatim.types import Budget, Corpus, Task


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a fit gave: the choice with its reasons, the whole story, and the files written."""

    choice: Choice
    story: Story
    artifact: Path
    report: Path


@disk_faults()
def fit(source: str | Path | Corpus, *, table: LadderTable | None = None, **options: Any) -> Outcome:
    """Climb the ladder on labelled text and keep the smallest model that is good enough.

    `source` is a file, a folder, a catalog or data set name, or a Corpus. `options` are the fields of
    `Budget`, `Settings` and `Plan` by name: fit("reviews.csv", max_ms=2, seed=1). Writes the model
    and the report. Raises ConfigError for an unknown option and BudgetError if nothing fits (with
    `force` the nearest model is written all the same).
    """
    budget, settings, plan = parse_options(options)
    check_early(budget, settings, plan)
    corpus = source if isinstance(source, Corpus) else _load(str(source), plan)
    goal = goal_of(corpus.task)
    unsuited, why = (frozenset(), "") if plan.rungs else goal.unsuited(corpus, settings)
    rungs = named_rungs(plan.rungs, settings, goal, unsuited)
    metric, whence = goal.metric(corpus, plan.metric)
    corpus = replace(corpus, notes=(*corpus.notes, *filter(None, (why, whence))))
    with _prepared(corpus, metric, budget, settings, plan, rungs) as (problem, folder):
        return _climbed(problem, folder, rungs, budget, plan, table)


def _climbed(
    problem: Problem,
    folder: ClimbFolder,
    rungs: Sequence[Rung],
    budget: Budget,
    plan: Plan,
    table: LadderTable | None,
) -> Outcome:
    """The climb, its story and the files of both."""
    corpus = problem.corpus
    title = f"{corpus.name}: {len(corpus.train):,} training {_learned(corpus.task)}"
    table = table or LadderTable(problem.metric, title)
    max_train_s = None if budget.max_train_min is None else 60 * budget.max_train_min
    with table:
        for note in corpus.notes:
            table.console.print(f"  {note}", style="dim", highlight=False, markup=False)
        found = climb(problem, rungs, folder, table, max_train_s=max_train_s)
        if not found.rows:
            kind = GradatimError if budget.max_train_min is None else BudgetError
            raise kind("no rung could be run:" + "".join(f"\n  {d.name}: {d.why}" for d in found.dropped))
        choice = choose(found.rows, budget)
        table.say("looking into what it gets wrong")
        finished = replace(problem, below=found.below)
        story = Story(
            corpus=corpus,
            metric=problem.metric,
            rows=found.rows,
            choice=choice,
            evidence=problem.goal.evidence(finished, choice.subject),
            manifest=manifest(problem, plan.command),
            dropped=found.dropped,
            tests=test_results(problem, choice),
        )
        table.chosen(choice)
    write_report(plan.report, story, problem.goal)
    if plan.picture is not None:
        write_front_png(plan.picture, story)
    return Outcome(choice, story, _deliver(story, plan), Path(plan.report))


def _load(source: str, plan: Plan) -> Corpus:
    """The data of a source: labelled, or parallel where it names what should be written, or with a tag for every word,
    or questions with answers.

    Where columns are named it is a table of labelled texts.
    """
    if plan.target is not None and (plan.label is not None or plan.text_pair is not None):
        raise ConfigError("target names what is written from text: leave label and text_pair out")
    given: dict[str, Any] = {"dev": plan.dev, "test": plan.test, "seed": plan.seed}
    if plan.target is not None or is_parallel(source):
        return load_written(source, text=plan.text, target=plan.target, **given)
    if plan.text is plan.text_pair is plan.label is None:
        known = ((is_tagged, load_tagged), (is_chosen, load_chosen), (is_answered, load_answered))
        if own := next((load for knows, load in known if knows(source)), None):
            return own(source, **given)
    return load_corpus(source, text=plan.text, text_pair=plan.text_pair, label=plan.label, **given)


def _learned(task: Task) -> str:
    """What there is to learn from."""
    named = {"classification": "labels", "tagging": "tags"}
    if task.kind in named:
        return f"texts, {len(task.labels)} {named[task.kind]}"
    return "questions with answers" if task.pairs else "texts and what becomes of them"


@contextmanager
def _prepared(
    corpus: Corpus, metric: str, budget: Budget, settings: Settings, plan: Plan, rungs: Sequence[Rung]
) -> Iterator[tuple[Problem, ClimbFolder]]:
    """The problem, and the folder that holds only climbs of which everything is the same that matters to it, and
    no other while the block runs.

    Budgets on the finished model only change the choice; whatever changes a rung's result counts.
    """
    import gradatim

    goal, usual = goal_of(corpus.task), Settings()
    for name in goal.ignores:
        if getattr(settings, name) != getattr(usual, name):
            raise ConfigError(f"{name} is for labelled texts: {goal.makes} has no use for it")
    threads = plan.threads or available_cores()
    fingerprint = {
        "gradatim": gradatim.__version__,
        "python": sys.version.split()[0],
        "onnxruntime": version("onnxruntime"),
        "processor": described(),
        "data": corpus.digest,
        "metric": metric,
        "seed": plan.seed,
        "rungs": [rung.name for rung in rungs],
        "threads": threads,
        "max_train_min": budget.max_train_min,
        **asdict(settings),
    }
    for name in ("unlabelled", "unlabelled_pairs"):
        fingerprint[name] = sha256("\0".join(fingerprint[name] or ()).encode()).hexdigest()
    path = Path(plan.folder) if plan.folder is not None else Path(plan.out).with_suffix(".climb")
    with climbing_alone(path):
        folder = ClimbFolder(path, fingerprint, resume=plan.resume)
        yield Problem(corpus, goal, folder.path, folder.shared, metric, plan.seed, threads, settings), folder


def _deliver(story: Story, plan: Plan) -> Path:
    """Write the chosen artifact (or with `force` the nearest) with its figures and card."""
    row, out = story.choice.subject, Path(plan.out)
    if not story.choice.fits and not plan.force:
        raise BudgetError(
            "no candidate fits the budget: "
            + "; ".join(story.choice.reasons)
            + f" (report in {plan.report}; --force writes the nearest model all the same)"
            + f"; {out} is of an earlier climb and was left as it was" * out.exists()
        )
    figures = asdict(row.measurement)
    dev = {f"dev_{name}": value for name, value in figures.pop("extra").items()}
    tested = {f"test_{story.metric}": story.tests[row.name].value} if row.name in story.tests else {}
    with TemporaryDirectory() as folder:  # the climb keeps its own file as it was measured
        made = Path(shutil.copy(row.candidate.artifact, folder))
        rewrite_artifact(
            made,
            metrics=dev | {name: float(value) for name, value in figures.items()} | tested,
            card=model_card(story),
            provenance={**story.manifest, "candidate": row.name, "notes": list(row.candidate.notes)},
        )
        with atomic_file(out) as handle:
            handle.write(made.read_bytes())
    return out
