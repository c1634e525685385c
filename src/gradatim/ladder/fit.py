"""`gradatim.fit`: labelled text and a budget in, the smallest model that is good enough out."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar, get_args

from gradatim.data import load_corpus
from gradatim.engine.artifact import rewrite_artifact
from gradatim.engine.onnx import available_cores
from gradatim.errors import BudgetError, ConfigError, GradatimError, did_you_mean
from gradatim.ladder.card import model_card
from gradatim.ladder.choice import choose
from gradatim.ladder.climb import Climb, climb
from gradatim.ladder.evidence import gather_evidence, test_results
from gradatim.ladder.machine import manifest
from gradatim.ladder.records import Choice, Row, Story
from gradatim.ladder.report.page import write_front_png, write_report
from gradatim.ladder.rung import Precision, Problem, Rung, Settings
from gradatim.ladder.rungs.bag import BagRung
from gradatim.ladder.rungs.bilstm import BiLstmRung
from gradatim.ladder.rungs.finetuned import FinetunedRung
from gradatim.ladder.rungs.frozen import FrozenRung
from gradatim.ladder.rungs.int8 import Int8Rung
from gradatim.ladder.rungs.linear import LinearRung
from gradatim.ladder.rungs.majority import MajorityRung
from gradatim.ladder.rungs.ngram import NgramRung
from gradatim.ladder.rungs.students import EncoderStudent, LstmStudent
from gradatim.ladder.state import ClimbFolder
from gradatim.ladder.table import LadderTable
from gradatim.pipelines.metrics import METRICS, default_metric, higher_is_better
from gradatim.types import Budget, Corpus

RUNGS: tuple[Rung, ...] = (
    MajorityRung(),
    NgramRung(),
    LinearRung(),
    BagRung(),
    BiLstmRung(),
    FrozenRung(),
    FinetunedRung(),
    EncoderStudent(3),
    EncoderStudent(2),
    LstmStudent(),
    Int8Rung(),
)


UNWRITABLE = {errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EPERM, getattr(errno, "EDQUOT", errno.ENOSPC)}

T = TypeVar("T", Budget, Settings, "Plan", "Columns")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a fit gave: the choice with its reasons, the whole story, and the files written."""

    choice: Choice
    story: Story
    artifact: Path | None
    report: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a climb is run, beside what it learns: which files, which rungs, and whether to go on.

    `picture` is a PNG of the front; `folder` keeps the climb while it runs (beside `out` if None);
    `rungs` names some of `RUNGS`; `force` writes the nearest model when nothing fits; `command` is
    quoted in the manifest.
    """

    out: str | Path = "model.gradatim"
    report: str | Path = "report.html"
    picture: str | Path | None = None
    folder: str | Path | None = None
    metric: str | None = None
    rungs: Sequence[str] | None = None
    threads: int | None = None
    seed: int = 0
    resume: bool = False
    force: bool = False
    command: str = "gradatim.fit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which columns and files of the data set to use; None means guessed, and said aloud."""

    text: str | None = None
    text_pair: str | None = None
    label: str | None = None
    dev: str | None = None
    test: str | None = None


def fit(source: str | Path | Corpus, *, table: LadderTable | None = None, **options: Any) -> Outcome:
    """Climb the ladder on labelled text and keep the smallest model that is good enough.

    `source` is a file, a folder, a catalog or data set name, or a Corpus. `options` are the fields of
    `Budget`, `Settings`, `Plan` and `Columns` by name: fit("reviews.csv", max_ms=2, seed=1). Writes
    the model and the report. Raises ConfigError for an unknown option and BudgetError if nothing
    fits (with `force` the nearest model is written all the same).
    """
    with _disk_faults():
        return _fit(source, table, options)


def _fit(source: str | Path | Corpus, table: LadderTable | None, options: Mapping[str, Any]) -> Outcome:
    known = [f.name for kind in (Budget, Settings, Plan, Columns) for f in fields(kind)]
    for name in options:
        if name not in known:
            near = did_you_mean(name, known)
            raise ConfigError(f"unknown option '{name}'{near}; known: {', '.join(known)}")
    budget, settings = _pick(Budget, options), _pick(Settings, options)
    plan, columns = _pick(Plan, options), _pick(Columns, options)
    rungs = _rungs(plan.rungs)
    _check_early(budget, settings, plan)
    if isinstance(source, Corpus):
        corpus = source
    else:
        corpus = load_corpus(str(source), seed=plan.seed, **asdict(columns))
    problem, folder = _prepare(corpus, budget, settings, plan)
    title = f"{corpus.name}: {len(corpus.train):,} training texts, {len(corpus.task.labels)} labels"
    table = table or LadderTable(problem.metric, title)
    max_train_s = None if budget.max_train_min is None else 60 * budget.max_train_min
    with table:
        for note in corpus.notes:
            table.console.print(f"  {note}", style="dim", highlight=False, markup=False)
        found = climb(problem, rungs, folder, table, max_train_s=max_train_s)
        if not found.rows:
            raise _nothing_ran(found, budget)
        choice = choose(found.rows, budget)
        table.say("looking into mistakes, labels and the learning curve")
        story = _story(problem, found, choice, plan)
        table.chosen(choice)
    write_report(plan.report, story)
    if plan.picture is not None:
        write_front_png(plan.picture, story)
    return Outcome(choice, story, _deliver(story, plan), Path(plan.report))


def _prepare(corpus: Corpus, budget: Budget, settings: Settings, plan: Plan) -> tuple[Problem, ClimbFolder]:
    metric = _metric(plan.metric, corpus)
    threads = plan.threads or available_cores()
    path = Path(plan.folder) if plan.folder is not None else Path(plan.out).with_suffix(".climb")
    print_of = _fingerprint(corpus, settings, plan, metric, threads, budget)
    folder = ClimbFolder(path, print_of, resume=plan.resume)
    return Problem(corpus, folder.path, folder.shared, metric, plan.seed, threads, settings), folder


def _story(problem: Problem, found: Climb, choice: Choice, plan: Plan) -> Story:
    told = choice.chosen or choice.nearest
    assert told is not None
    facts = manifest(problem, plan.command)
    story = Story(
        problem.corpus, problem.metric, tuple(found.rows), choice, None, facts, tuple(found.dropped)
    )
    return replace(story, evidence=gather_evidence(problem, told), tests=test_results(problem, choice))


def _deliver(story: Story, plan: Plan) -> Path | None:
    """Write the chosen artifact (or with `force` the nearest) with its figures and card."""
    row: Row | None = story.choice.chosen or (story.choice.nearest if plan.force else None)
    if row is None:
        raise BudgetError(
            "no candidate fits the budget: "
            + "; ".join(story.choice.reasons)
            + f" (report in {plan.report}; --force writes the nearest model all the same)"
        )
    out = Path(plan.out)
    temporary = out.with_name(f".{out.name}.part")
    figures = {name: value for name, value in asdict(row.measurement).items() if name != "extra"}
    try:
        shutil.copyfile(row.candidate.artifact, temporary)
        rewrite_artifact(
            temporary,
            metrics={f"dev_{name}": v for name, v in row.measurement.extra.items()}
            | {name: float(value) for name, value in figures.items()}
            | {f"test_{story.metric}": t.quality.value for t in story.tests if t.name == row.name},
            card=model_card(story),
            provenance={**story.manifest, "candidate": row.name, "notes": list(row.candidate.notes)},
        )
        os.replace(temporary, out)
    finally:
        temporary.unlink(missing_ok=True)
    return out


@contextmanager
def _disk_faults() -> Iterator[None]:
    """Turn a full disk or a folder that may not be written into an error for the user."""
    try:
        yield
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        raise ConfigError(
            f"{error.filename or 'a file of the climb'} cannot be written: {error.strerror}; "
            "make room or name other folders, then --resume continues the climb"
        ) from error


def _check_early(budget: Budget, settings: Settings, plan: Plan) -> None:
    """Refuse now what would otherwise fail at the end of a long climb, or pass unnoticed."""
    for name, limit in asdict(budget).items():
        if limit is not None and not limit >= 0:
            raise ConfigError(f"{name} must be at least 0, not {limit}")
    if settings.precision not in get_args(Precision):
        raise ConfigError(f"precision is auto, bf16 or fp32, not '{settings.precision}'")
    if settings.epochs is not None and not settings.epochs > 0:
        raise ConfigError(f"epochs must be above 0, not {settings.epochs}")
    outputs = [("out", plan.out), ("report", plan.report), ("picture", plan.picture)]
    seen: dict[Path, str] = {}
    for name, value in outputs:
        if value is None:
            continue
        path = Path(value)
        if path.is_dir():
            raise ConfigError(f"{name}: {path} is a folder; name a file")
        other = seen.setdefault(path.resolve(), name)
        if other != name:
            raise ConfigError(f"{other} and {name} are both {path}; name two files")
        path.parent.mkdir(parents=True, exist_ok=True)


def _nothing_ran(found: Climb, budget: Budget) -> GradatimError:
    kind = GradatimError if budget.max_train_min is None else BudgetError
    return kind("no rung could be run:" + "".join(f"\n  {d.name}: {d.why}" for d in found.dropped))


def _pick(kind: type[T], options: Mapping[str, Any]) -> T:
    """A record of the options that are its fields."""
    return kind(**{f.name: options[f.name] for f in fields(kind) if f.name in options})


def _metric(name: str | None, corpus: Corpus) -> str:
    metric = name or default_metric(corpus.task)
    known = [m for m in METRICS if higher_is_better(m)]
    if metric not in known:
        raise ConfigError(
            f"unknown metric '{metric}'{did_you_mean(metric, known)}; known: {', '.join(known)}"
        )
    return metric


def _rungs(names: Sequence[str] | None) -> list[Rung]:
    known = {rung.name: rung for rung in RUNGS}
    for name in names or ():
        if name not in known:
            raise ConfigError(f"unknown rung '{name}'{did_you_mean(name, known)}; known: {', '.join(known)}")
    return [rung for rung in RUNGS if names is None or rung.name in names]


def _fingerprint(
    corpus: Corpus, settings: Settings, plan: Plan, metric: str, threads: int, budget: Budget
) -> dict[str, Any]:
    """Everything that changes a rung's result; budgets on the finished model only change the choice."""
    import gradatim

    extra = asdict(settings)
    for name in ("unlabelled", "unlabelled_pairs"):
        extra[name] = _digest(extra[name])
    return {
        "gradatim": gradatim.__version__,
        "python": sys.version.split()[0],
        "data": corpus.digest,
        "metric": metric,
        "seed": plan.seed,
        "rungs": [rung.name for rung in _rungs(plan.rungs)],
        "threads": threads,
        "max_train_min": budget.max_train_min,
        **extra,
    }


def _digest(texts: Sequence[str] | None) -> str:
    from hashlib import sha256

    return sha256("\0".join(texts or ()).encode()).hexdigest()
