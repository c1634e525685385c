"""Recipe files: TOML with the sections model, data, objective, train, distillation; what is not known is refused."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from gradatim.errors import ConfigError, did_you_mean
from gradatim.train.architecture import ModelSettings
from gradatim.train.documents import DataSettings
from gradatim.train.kinds import DATA, KINDS, WRITING, ObjectiveSettings
from gradatim.train.recipe import Recipe
from gradatim.train.teaching import DistillationSettings

T = TypeVar("T")
SECTIONS = ("model", "data", "objective", "train", "distillation")


@dataclass(frozen=True, slots=True)
class RecipeFile:
    """A recipe read: what to train, on what, towards what, how, and perhaps by whom it is taught."""

    model: ModelSettings
    data: DataSettings
    objective: ObjectiveSettings
    train: Recipe
    distillation: DistillationSettings | None = None


def read_recipe(path: Path, changes: Sequence[str] = ()) -> RecipeFile:
    """The recipe in a TOML file with `changes` ("train.rate=1e-4") made to it.

    Raises ConfigError that names file and key for what cannot be read, is unknown or of the wrong type.
    """
    try:
        sections = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    for change in changes:
        _change(sections, change)
    for name, values in sections.items():
        if name not in SECTIONS:
            raise ConfigError(f"{path}: no section [{name}] is known{did_you_mean(name, SECTIONS)}")
        if not isinstance(values, dict):
            raise ConfigError(f"{path}: '{name}' must be a section, [{name}], not a value")
    objective = dict(sections.get("objective", {}))
    kind = objective.pop("kind", None)
    if kind not in KINDS:
        near = did_you_mean(str(kind), KINDS) if kind else ""
        raise ConfigError(f"{path}: [objective] kind must be one of {', '.join(KINDS)}, not {kind!r}{near}")
    alone = {"decoder_layers", "attention"} & {*sections.get("model", {})}
    if alone and kind not in WRITING:
        raise ConfigError(
            f"{path}: [model] {', '.join(sorted(alone))}: a model of kind {kind} has no decoder; leave it out"
        )
    others = {name for names in DATA.values() for name in names} - {*DATA[kind]}
    if idle := others & {*sections.get("data", {})}:
        raise ConfigError(
            f"{path}: [data] {', '.join(sorted(idle))}: nothing is read of that for kind {kind}; leave it out"
        )
    taught = sections.get("distillation")
    return RecipeFile(
        record(ModelSettings, sections.get("model", {}), f"{path}: [model]"),
        record(DataSettings, sections.get("data", {}), f"{path}: [data]"),
        record(KINDS[kind], objective, f"{path}: [objective] of kind {kind}"),
        record(Recipe, sections.get("train", {}), f"{path}: [train]"),
        record(DistillationSettings, taught, f"{path}: [distillation]") if taught is not None else None,
    )


def record(kind: type[T], values: Mapping[str, Any], where: str) -> T:
    """A dataclass from values by name; raises ConfigError for a name or a type that is not its own.

    A field called like a Python keyword has an underscore that its name in the file has not.
    """
    names = {field.name.rstrip("_"): field for field in fields(kind)}  # type: ignore[arg-type]
    hints = get_type_hints(kind)
    given: dict[str, Any] = {}
    for name, value in values.items():
        if name not in names:
            near = did_you_mean(name, names)
            raise ConfigError(f"{where} has no key '{name}'{near or '; known: ' + ', '.join(names)}")
        hint = hints[names[name].name]
        if not _fits(value, hint):
            raise ConfigError(f"{where} {name} must be {_in_words(hint)}, not {value!r}")
        given[names[name].name] = tuple(value) if get_origin(hint) is tuple else value
    missing = [
        name
        for name, field in names.items()
        if field.default is MISSING and field.default_factory is MISSING and name not in values
    ]
    if missing:
        raise ConfigError(f"{where} lacks {', '.join(missing)}")
    try:
        return kind(**given)
    except ConfigError as error:
        raise ConfigError(f"{where} {error}") from error


def _change(sections: dict[str, Any], change: str) -> None:
    key, equals, text = change.partition("=")
    section, dot, name = key.strip().partition(".")
    if not (equals and dot and name):
        raise ConfigError(f"'{change}' is no change to a recipe: write section.key=value, as train.rate=1e-4")
    try:
        value = tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:  # a bare word is a string
        value = text
    if not isinstance(sections.setdefault(section, {}), dict):
        raise ConfigError(f"'{change}': '{section}' is not a section of the recipe")
    sections[section][name.strip()] = value


def _fits(value: Any, hint: Any) -> bool:
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return any(_fits(value, part) for part in get_args(hint))
    if origin is Literal:
        return value in get_args(hint)
    if origin in (list, tuple):  # in TOML both are lists
        return isinstance(value, list) and all(_fits(part, get_args(hint)[0]) for part in value)
    if isinstance(value, bool) or hint is bool:
        return hint is bool and isinstance(value, bool)
    return isinstance(value, (int, float) if hint is float else hint)


def _in_words(hint: Any) -> str:
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return " or ".join(_in_words(part) for part in get_args(hint) if part is not NoneType)
    if origin is Literal:
        return " or ".join(map(repr, get_args(hint)))
    if origin in (list, tuple):
        return f"a list, each {_in_words(get_args(hint)[0])}"
    return {int: "a whole number", float: "a number", bool: "true or false", str: "a string"}[hint]
