"""What is asked of a climb: its options by name, what of them is refused at once, and the rungs they name."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, get_args

from gradatim.errors import ConfigError, did_you_mean
from gradatim.ladder.rung import Goal, Precision, Rung, Settings
from gradatim.types import Budget


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a climb is run: from which columns and files, into which, which rungs, and whether to go on.

    `text`, `text_pair` and `label` are columns (None: guessed, and said aloud), `target` the column of texts that
    should be written from those of `text`; `dev` and `test` are files;
    `picture` is a PNG of the front; `folder` keeps the climb while it runs (beside `out` if None);
    `rungs` names some of the goal's, of labels also students of any depth (student-4l); `force` writes the nearest
    model when nothing fits; `command` is quoted in the manifest.
    """

    text: str | None = None
    text_pair: str | None = None
    label: str | None = None
    target: str | None = None
    dev: str | None = None
    test: str | None = None
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


def parse_options(options: Mapping[str, Any]) -> tuple[Budget, Settings, Plan]:
    """The three records from their fields by name."""
    home = {f.name: kind for kind in (Budget, Settings, Plan) for f in fields(kind)}
    given: dict[type, dict[str, Any]] = {Budget: {}, Settings: {}, Plan: {}}
    for name, value in options.items():
        if name not in home:
            near = did_you_mean(name, home)
            raise ConfigError(f"unknown option '{name}'{near}; known: {', '.join(home)}")
        given[home[name]][name] = value
    return Budget(**given[Budget]), Settings(**given[Settings]), Plan(**given[Plan])


def check_early(budget: Budget, settings: Settings, plan: Plan) -> None:
    """Refuse now what would otherwise fail at the end of a long climb, or pass unnoticed."""
    for name, limit in asdict(budget).items():
        trained = name == "max_train_min"  # what trains nothing needs no minutes
        if limit is not None and not (limit >= 0 if trained else limit > 0):
            raise ConfigError(f"{name} must be {'at least' if trained else 'above'} 0, not {limit}")
    if settings.precision not in get_args(Precision):
        raise ConfigError(f"precision is auto, bf16 or fp32, not '{settings.precision}'")
    if settings.epochs is not None and not settings.epochs > 0:
        raise ConfigError(f"epochs must be above 0, not {settings.epochs}")
    if plan.rungs and settings.few is not None:
        raise ConfigError("few chooses among rungs: leave it out where they are named")
    seen: dict[Path, str] = {}
    for name in ("out", "report", "picture"):
        if getattr(plan, name) is None:
            continue
        path = Path(getattr(plan, name))
        if path.is_dir():
            raise ConfigError(f"{name}: {path} is a folder; name a file")
        other = seen.setdefault(path.resolve(), name)
        if other != name:
            raise ConfigError(f"{other} and {name} are both {path}; name two files")
        path.parent.mkdir(parents=True, exist_ok=True)


def named_rungs(
    names: Sequence[str] | None, settings: Settings, goal: Goal, unsuited: Set[str] = frozenset()
) -> list[Rung]:
    """Rungs in order, all that suit unless some are named; raises ConfigError for an unknown one."""
    known, needs = {rung.name: rung for rung in goal.rungs}, goal.needs
    there = {name for name, (field, _) in needs.items() if getattr(settings, field) is not None}
    for name in names or ():
        if rung := goal.named(name):
            known.setdefault(name, rung)
        if name not in known:
            raise ConfigError(f"unknown rung '{name}'{did_you_mean(name, known)}; known: {', '.join(known)}")
        if name in needs and name not in there:
            field, what = needs[name]
            option = field.replace("_", "-")
            raise ConfigError(
                f"the rung '{name}' needs a {field.replace('_', ' ')}: name {what} with --{option}"
            )
    asked = [
        rung
        for name, rung in known.items()
        if (name in names if names else name not in unsuited and (name not in needs or name in there))
    ]
    kinds = list(dict.fromkeys(map(type, goal.rungs)))

    def height(rung: Rung) -> tuple[int, float]:
        """Of those of a kind the larger one stands first, from which the smaller may start."""
        return kinds.index(type(rung)), -(getattr(rung, "num_layers", None) or math.inf)

    return sorted(asked, key=height)
