"""Checkpoint conversion as data: reversible rules between foreign tensor names and ours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gradatim.errors import CheckpointError

Names = str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Weight:
    """Foreign tensors that are one of ours; the kinds of it say how."""

    theirs: Names
    ours: str

    @property
    def names(self) -> tuple[str, ...]:
        return (self.theirs,) if isinstance(self.theirs, str) else self.theirs

    def join(self, parts: Sequence[Tensor]) -> Tensor:
        return parts[0]

    def split(self, tensor: Tensor) -> Sequence[Tensor]:
        return (tensor,)


class Same(Weight):
    """One foreign tensor, unchanged."""


class Transpose(Weight):
    """A matrix that is stored as (inputs, outputs): GPT's convolutions of width one."""

    def join(self, parts: Sequence[Tensor]) -> Tensor:
        return parts[0].mT if parts[0].ndim == 2 else parts[0]

    def split(self, tensor: Tensor) -> Sequence[Tensor]:
        return (tensor.mT,)


class Row(Weight):
    """A vector that is stored as a matrix of one row."""

    def join(self, parts: Sequence[Tensor]) -> Tensor:
        return parts[0][0] if parts[0].ndim == 2 and len(parts[0]) == 1 else parts[0]

    def split(self, tensor: Tensor) -> Sequence[Tensor]:
        return (tensor[None],)


class Fuse(Weight):
    """Several foreign tensors of equal shape, joined along the first axis."""

    def join(self, parts: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(parts))

    def split(self, tensor: Tensor) -> Sequence[Tensor]:
        return tensor.chunk(len(self.names))


class Stack(Weight):
    """Several foreign tensors of equal shape, one upon the other."""

    def join(self, parts: Sequence[Tensor]) -> Tensor:
        return torch.stack(list(parts))

    def split(self, tensor: Tensor) -> Sequence[Tensor]:
        return tensor.unbind()


@dataclass(frozen=True, slots=True)
class Tied:
    """A second copy of the foreign tensor `to`, stored or not; either may be the one that is there."""

    theirs: str
    to: str


@dataclass(frozen=True, slots=True)
class Drop:
    """A foreign tensor that carries nothing we need (pattern ending in * allowed); may be absent."""

    theirs: str


@dataclass(frozen=True, slots=True)
class Zeros:
    """A weight of ours that the foreign class does not have, a bias: zeros, or the model cannot be written."""

    ours: str


Rule = Weight | Tied | Drop | Zeros


def layers(
    names: Mapping[str, Names],
    kinds: Sequence[str] = ("weight", "bias"),
    *,
    matrix: type[Weight] = Same,
) -> list[Rule]:
    """The tensors of layers, ours -> theirs; several of theirs are fused. `matrix` is how a weight is stored."""
    rules: list[Rule] = []
    for ours, theirs in names.items():
        for kind in kinds:
            if isinstance(theirs, str):
                one = matrix if kind == "weight" else Same
                rules.append(one(f"{theirs}.{kind}", f"{ours}.{kind}"))
            else:
                rules.append(Fuse(tuple(f"{name}.{kind}" for name in theirs), f"{ours}.{kind}"))
    return rules


def repeat(rules: Iterable[Rule], num_layers: int) -> list[Rule]:
    """Write out rules that hold `{}` once per layer."""

    def at(layer: int) -> Callable[[str], str]:
        return lambda name: name.format(layer)

    return [_renamed(rule, at(layer), at(layer)) for rule in rules for layer in range(num_layers)]


def within(rules: Iterable[Rule], theirs: str, ours: str) -> list[Rule]:
    """The rules of a part, whose names stand behind these prefixes in the whole."""
    return [_renamed(rule, lambda name: theirs + name, lambda name: ours + name) for rule in rules]


def without(rules: Iterable[Rule], prefix: str) -> list[Rule]:
    """The same rules for a file whose foreign names lack a prefix."""
    return [_renamed(rule, lambda name: name.removeprefix(prefix), lambda name: name) for rule in rules]


def _renamed(rule: Rule, theirs: Callable[[str], str], ours: Callable[[str], str]) -> Rule:
    if isinstance(rule, Tied):
        return Tied(theirs(rule.theirs), theirs(rule.to))
    if isinstance(rule, Drop):
        return Drop(theirs(rule.theirs))
    if isinstance(rule, Zeros):
        return Zeros(ours(rule.ours))
    names = tuple(map(theirs, rule.names))
    return replace(rule, theirs=names[0] if isinstance(rule.theirs, str) else names, ours=ours(rule.ours))


def to_ours(
    tensors: Mapping[str, Tensor], rules: Sequence[Rule], expected: Mapping[str, Sequence[int]]
) -> dict[str, Tensor]:
    """Convert a foreign checkpoint, totally or not at all.

    `expected` gives our names and shapes. Raises CheckpointError listing every missing, surplus
    and misshapen tensor before anything is copied.
    """
    stored, untied = copies(tensors, rules)
    faults = [f"{rule.theirs} differs from {rule.to}, which this model ties it to" for rule in untied]
    found: dict[str, Tensor] = {}
    for rule in (rule for rule in rules if isinstance(rule, Weight)):
        parts = [stored[name] for name in rule.names if name in stored]
        if len(parts) < len(rule.names):
            faults += [f"missing {name}" for name in rule.names if name not in stored]
        elif len({part.shape for part in parts}) > 1:
            shapes = ", ".join(f"{n} {tuple(p.shape)}" for n, p in zip(rule.names, parts, strict=True))
            faults.append(f"misshapen {rule.ours}: its parts must have equal shapes, not {shapes}")
        else:
            found[rule.ours] = rule.join(parts)
    zeros = {rule.ours: torch.zeros(*expected[rule.ours]) for rule in rules if isinstance(rule, Zeros)}
    found |= zeros
    unknown = set(tensors) - weight_names(rules) - set(left_out(tensors, rules))
    faults += [f"surplus {name}" for name in sorted(unknown)]
    made = {rule.ours for rule in rules if isinstance(rule, Weight)} | zeros.keys()
    for name, shape in expected.items():
        if name not in made:
            faults.append(f"no rule makes {name}")
        elif name in found and tuple(found[name].shape) != tuple(shape):
            faults.append(f"misshapen {name}: {tuple(found[name].shape)} instead of {tuple(shape)}")
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


def unwritable(tensors: Mapping[str, Tensor], rules: Sequence[Rule]) -> list[str]:
    """Our tensors that the foreign class does not have and that are not zero."""
    return [rule.ours for rule in rules if isinstance(rule, Zeros) and tensors[rule.ours].any()]


def copies(tensors: Mapping[str, Tensor], rules: Iterable[Rule]) -> tuple[dict[str, Tensor], list[Tied]]:
    """The tensors with every tied one under its first name too, and the rules whose copies differ."""
    stored, differing = dict(tensors), []
    for rule in rules:
        if isinstance(rule, Tied) and rule.theirs in tensors:
            copy = tensors[rule.theirs]
            if not torch.equal(stored.setdefault(rule.to, copy), copy):
                differing.append(rule)
    return stored, differing


def left_out(tensors: Iterable[str], rules: Sequence[Rule]) -> list[str]:
    """The foreign names that a table knows and that make none of our weights."""
    known = [rule.theirs for rule in rules if isinstance(rule, Tied | Drop)]
    starts = tuple(name.removesuffix("*") for name in known if name.endswith("*"))
    used = weight_names(rules)
    return [name for name in tensors if name not in used and (name in known or name.startswith(starts))]


def weight_names(rules: Iterable[Rule]) -> set[str]:
    """The foreign names that must be there."""
    return {name for rule in rules if isinstance(rule, Weight) for name in rule.names}
