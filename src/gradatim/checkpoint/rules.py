"""Checkpoint conversion as data: reversible rules between foreign tensor names and ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gradatim.errors import CheckpointError


@dataclass(frozen=True, slots=True)
class Same:
    """One foreign tensor is one of ours, unchanged."""

    theirs: str
    ours: str


@dataclass(frozen=True, slots=True)
class Fuse:
    """Several foreign tensors of equal shape are one of ours, joined along the first axis."""

    theirs: tuple[str, ...]
    ours: str


@dataclass(frozen=True, slots=True)
class Drop:
    """A foreign tensor that carries nothing we need (pattern ending in * allowed); may be absent."""

    theirs: str


Rule = Same | Fuse | Drop


def repeat(rules: Iterable[Rule], num_layers: int) -> list[Rule]:
    """Write out rules that hold `{}` once per layer."""
    out: list[Rule] = []
    for rule in rules:
        for layer in range(num_layers):
            if isinstance(rule, Fuse):
                out.append(Fuse(tuple(t.format(layer) for t in rule.theirs), rule.ours.format(layer)))
            elif isinstance(rule, Same):
                out.append(Same(rule.theirs.format(layer), rule.ours.format(layer)))
            else:
                out.append(Drop(rule.theirs.format(layer)))
    return out


def to_ours(
    tensors: Mapping[str, Tensor], rules: Sequence[Rule], expected: Mapping[str, Sequence[int]]
) -> dict[str, Tensor]:
    """Convert a foreign checkpoint, totally or not at all.

    `expected` gives our names and shapes. Raises CheckpointError listing every missing, surplus
    and misshapen tensor before anything is copied.
    """
    faults: list[str] = []
    used: set[str] = set()
    found: dict[str, Tensor] = {}
    for rule in rules:
        if isinstance(rule, Drop):
            used.update(name for name in tensors if _matches(name, rule.theirs))
            continue
        names = rule.theirs if isinstance(rule, Fuse) else (rule.theirs,)
        missing = [name for name in names if name not in tensors]
        faults += [f"missing {name}" for name in missing]
        used.update(names)
        if missing:
            continue
        parts = [tensors[name] for name in names]
        if len({part.shape for part in parts}) > 1:
            shapes = ", ".join(f"{name} {tuple(part.shape)}" for name, part in zip(names, parts, strict=True))
            faults.append(f"misshapen {rule.ours}: its parts must have equal shapes, not {shapes}")
        else:
            found[rule.ours] = parts[0] if len(parts) == 1 else torch.cat(parts)
    faults += [f"surplus {name}" for name in sorted(set(tensors) - used)]
    for name, shape in expected.items():
        if name in found and tuple(found[name].shape) != tuple(shape):
            faults.append(f"misshapen {name}: {tuple(found[name].shape)} instead of {tuple(shape)}")
    known = {rule.ours for rule in rules if not isinstance(rule, Drop)}
    faults += [f"no rule makes {name}" for name in expected if name not in known]
    if faults:
        raise CheckpointError("the checkpoint does not fit the model:\n  " + "\n  ".join(faults))
    return found


def to_theirs(tensors: Mapping[str, Tensor], rules: Sequence[Rule]) -> dict[str, Tensor]:
    """The inverse of `to_ours`: our tensors under the foreign names, fused ones split again."""
    out: dict[str, Tensor] = {}
    for rule in rules:
        if isinstance(rule, Same):
            out[rule.theirs] = tensors[rule.ours]
        elif isinstance(rule, Fuse):
            parts = tensors[rule.ours].chunk(len(rule.theirs))
            out.update({name: part.contiguous() for name, part in zip(rule.theirs, parts, strict=True)})
    return out


def _matches(name: str, pattern: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern
