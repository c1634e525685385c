"""Checkpoint conversion as data: reversible rules between foreign tensor names and ours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gradatim.errors import CheckpointError


@dataclass(frozen=True, slots=True)
class Same:
    """One foreign tensor is one of ours, unchanged."""

    theirs: str
    ours: str

    @property
    def names(self) -> tuple[str, ...]:
        return (self.theirs,)

    def join(self, parts: Sequence[Tensor]) -> Tensor:
        return parts[0]

    def split(self, tensor: Tensor) -> Sequence[Tensor]:
        return (tensor,)


@dataclass(frozen=True, slots=True)
class Transpose(Same):
    """A matrix that is stored as (inputs, outputs): GPT's convolutions of width one."""

    def join(self, parts: Sequence[Tensor]) -> Tensor:
        return parts[0].mT if parts[0].ndim == 2 else parts[0]

    def split(self, tensor: Tensor) -> Sequence[Tensor]:
        return (tensor.mT,)


@dataclass(frozen=True, slots=True)
class Row(Same):
    """A vector that is stored as a matrix of one row."""

    def join(self, parts: Sequence[Tensor]) -> Tensor:
        return parts[0][0] if parts[0].ndim == 2 and len(parts[0]) == 1 else parts[0]

    def split(self, tensor: Tensor) -> Sequence[Tensor]:
        return (tensor[None],)


@dataclass(frozen=True, slots=True)
class Fuse:
    """Several foreign tensors of equal shape are one of ours, joined along the first axis."""

    theirs: tuple[str, ...]
    ours: str

    @property
    def names(self) -> tuple[str, ...]:
        return self.theirs

    def join(self, parts: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(parts))

    def split(self, tensor: Tensor) -> Sequence[Tensor]:
        return tensor.chunk(len(self.theirs))


@dataclass(frozen=True, slots=True)
class Tied:
    """A second copy of the foreign tensor `to`, stored or not; either may be the one that is there."""

    theirs: str
    to: str


@dataclass(frozen=True, slots=True)
class Drop:
    """A foreign tensor that carries nothing we need (pattern ending in * allowed); may be absent."""

    theirs: str


Weight = Same | Fuse  # and the kinds of Same
Rule = Weight | Tied | Drop


def linear(theirs: str, ours: str, kinds: Sequence[str] = ("weight", "bias")) -> list[Rule]:
    """A layer of the same name parts on both sides: weight and bias."""
    return [Same(f"{theirs}.{kind}", f"{ours}.{kind}") for kind in kinds]


def fused(theirs: Sequence[str], ours: str, kinds: Sequence[str] = ("weight", "bias")) -> list[Rule]:
    """Several layers that are one of ours."""
    return [Fuse(tuple(f"{name}.{kind}" for name in theirs), f"{ours}.{kind}") for kind in kinds]


def repeat(rules: Iterable[Rule], num_layers: int) -> list[Rule]:
    """Write out rules that hold `{}` once per layer."""

    def at(layer: int) -> Callable[[str], str]:
        return lambda name: name.format(layer)

    return [_renamed(rule, at(layer), at(layer)) for rule in rules for layer in range(num_layers)]


def within(rules: Iterable[Rule], theirs: str, ours: str) -> list[Rule]:
    """The rules of a part, whose names stand behind these prefixes in the whole."""
    return [_renamed(rule, lambda name: theirs + name, lambda name: ours + name) for rule in rules]


def _renamed(rule: Rule, theirs: Callable[[str], str], ours: Callable[[str], str]) -> Rule:
    if isinstance(rule, Fuse):
        return Fuse(tuple(map(theirs, rule.theirs)), ours(rule.ours))
    if isinstance(rule, Same):
        return replace(rule, theirs=theirs(rule.theirs), ours=ours(rule.ours))
    if isinstance(rule, Tied):
        return Tied(theirs(rule.theirs), theirs(rule.to))
    return replace(rule, theirs=theirs(rule.theirs))


def to_ours(
    tensors: Mapping[str, Tensor], rules: Sequence[Rule], expected: Mapping[str, Sequence[int]]
) -> dict[str, Tensor]:
    """Convert a foreign checkpoint, totally or not at all.

    `expected` gives our names and shapes. Raises CheckpointError listing every missing, surplus
    and misshapen tensor before anything is copied.
    """
    stored, faults = _untied(tensors, rules)
    found: dict[str, Tensor] = {}
    for rule in rules:
        if not isinstance(rule, Weight):
            continue
        missing = [name for name in rule.names if name not in stored]
        faults += [f"missing {name}" for name in missing]
        if missing:
            continue
        parts = [stored[name] for name in rule.names]
        if len({part.shape for part in parts}) > 1:
            shapes = ", ".join(f"{n} {tuple(p.shape)}" for n, p in zip(rule.names, parts, strict=True))
            faults.append(f"misshapen {rule.ours}: its parts must have equal shapes, not {shapes}")
        else:
            found[rule.ours] = rule.join(parts)
    unknown = set(tensors) - weight_names(rules) - set(left_out(tensors, rules))
    faults += [f"surplus {name}" for name in sorted(unknown)]
    for name, shape in expected.items():
        if name in found and tuple(found[name].shape) != tuple(shape):
            faults.append(f"misshapen {name}: {tuple(found[name].shape)} instead of {tuple(shape)}")
    made = {rule.ours for rule in rules if isinstance(rule, Weight)}
    faults += [f"no rule makes {name}" for name in expected if name not in made]
    if faults:
        raise CheckpointError("the checkpoint does not fit the model:\n  " + "\n  ".join(faults))
    return found


def to_theirs(tensors: Mapping[str, Tensor], rules: Sequence[Rule]) -> dict[str, Tensor]:
    """The inverse of `to_ours`: our tensors under the foreign names, fused ones split again."""
    out: dict[str, Tensor] = {}
    for rule in rules:
        if isinstance(rule, Weight):
            out.update(zip(rule.names, rule.split(tensors[rule.ours]), strict=True))
    return {name: tensor.contiguous() for name, tensor in out.items()}


def left_out(tensors: Iterable[str], rules: Sequence[Rule]) -> list[str]:
    """The foreign names that a table knows and that make none of our weights."""
    others = [rule for rule in rules if not isinstance(rule, Weight)]
    used = weight_names(rules)
    return [n for n in tensors if n not in used and any(_matches(n, rule.theirs) for rule in others)]


def weight_names(rules: Iterable[Rule]) -> set[str]:
    """The foreign names that must be there."""
    return {name for rule in rules if isinstance(rule, Weight) for name in rule.names}


def _untied(tensors: Mapping[str, Tensor], rules: Sequence[Rule]) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors with the tied ones under their first name; faults where second copies differ."""
    stored, faults = dict(tensors), []
    for rule in rules:
        if isinstance(rule, Tied) and rule.theirs in tensors:
            copy = tensors[rule.theirs]
            if not torch.equal(stored.setdefault(rule.to, copy), copy):
                faults.append(f"{rule.theirs} differs from {rule.to}, which this model ties it to")
    return stored, faults


def _matches(name: str, pattern: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern
