"""Conversion tables are total, reversible, and say everything that is wrong at once."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gradatim.checkpoint.rules import (
    Drop,
    Fuse,
    Row,
    Rule,
    Same,
    Tied,
    Transpose,
    left_out,
    repeat,
    to_ours,
    to_theirs,
    within,
)
from gradatim.errors import CheckpointError

TABLE: list[Rule] = [
    Same("a", "x"), Fuse(("q", "k", "v"), "qkv"), Transpose("c", "y"), Row("b", "bias"), Tied("again", "a"),
    Drop("head.*"), Drop("ids"),
]  # fmt: skip
SHAPES = {"x": (2, 3), "qkv": (21, 5), "y": (11, 2), "bias": (13,)}


def theirs() -> dict[str, Tensor]:
    torch.manual_seed(0)
    parts = {name: torch.randn(7, 5) for name in "qkv"}
    return {"a": torch.randn(2, 3), "c": torch.randn(2, 11), "b": torch.randn(1, 13), **parts}


def test_there_and_back_is_the_identity() -> None:
    start = theirs()
    ours = to_ours({**start, "head.weight": torch.ones(1), "ids": torch.ones(1)}, TABLE, SHAPES)
    assert {name: tuple(t.shape) for name, t in ours.items()} == SHAPES
    back = to_theirs(ours, TABLE)
    assert back.keys() == start.keys()
    assert all(torch.equal(back[name], start[name]) for name in start)


def test_all_faults_stand_in_one_error() -> None:
    bad = theirs()
    del bad["k"]
    bad["a"] = torch.ones(3, 2)
    bad["stray"] = bad["idsx"] = torch.ones(1)
    with pytest.raises(CheckpointError) as caught:
        to_ours(bad, TABLE, {**SHAPES, "z": (1,)})
    message = str(caught.value)
    for fault in (
        "missing k",
        "surplus stray",
        "surplus idsx",
        "misshapen x",
        "(3, 2)",
        "(2, 3)",
        "no rule makes z",
    ):
        assert fault in message
    # A known name is not surplus because its neighbour is missing.
    assert "surplus q" not in message
    assert "surplus again" not in message


@pytest.mark.parametrize(
    "shapes", [((6, 5), (8, 5), (7, 5)), ((7, 5), (7, 4), (7, 5)), ((7, 5), (7,), (7, 5))]
)
def test_parts_of_unequal_shape_are_never_joined(shapes: tuple[tuple[int, ...], ...]) -> None:
    bad = {**theirs(), **{name: torch.ones(shape) for name, shape in zip("qkv", shapes, strict=True)}}
    bad["stray"] = torch.ones(1)
    with pytest.raises(CheckpointError, match="misshapen qkv") as caught:
        to_ours(bad, TABLE, SHAPES)
    assert "surplus stray" in str(caught.value)


def test_repeat_writes_rules_out_per_layer() -> None:
    out = repeat([Same("l.{}.a", "b.{}.x"), Fuse(("l.{}.q", "l.{}.k"), "b.{}.qk"), Drop("l.{}.ids")], 2)
    assert out == [
        Same("l.0.a", "b.0.x"), Same("l.1.a", "b.1.x"),
        Fuse(("l.0.q", "l.0.k"), "b.0.qk"), Fuse(("l.1.q", "l.1.k"), "b.1.qk"),
        Drop("l.0.ids"), Drop("l.1.ids"),
    ]  # fmt: skip


def test_a_part_stands_in_the_whole_under_its_prefixes() -> None:
    part = [Transpose("a", "x"), Tied("t", "a"), Drop("pooler.*")]
    assert within(part, "bert.", "body.") == [
        Transpose("bert.a", "body.x"), Tied("bert.t", "bert.a"), Drop("bert.pooler.*"),
    ]  # fmt: skip


@pytest.mark.parametrize("stored", [("a",), ("again",), ("a", "again")])
def test_a_tied_tensor_is_read_under_either_name_or_both(stored: tuple[str, ...]) -> None:
    tensors = theirs()
    whole = tensors.pop("a")
    found = to_ours({**tensors, **dict.fromkeys(stored, whole)}, TABLE, SHAPES)
    assert torch.equal(found["x"], whole)


def test_a_tied_tensor_of_its_own_is_a_fault() -> None:
    with pytest.raises(CheckpointError, match="again differs from a"):
        to_ours({**theirs(), "again": torch.ones(2, 3)}, TABLE, SHAPES)


def test_what_makes_no_weight_is_named() -> None:
    assert left_out([*theirs(), "again", "head.x", "stray"], TABLE) == ["again", "head.x"]
    assert left_out(["head.x"], [*TABLE, Same("head.x", "z")]) == []  # a weight after all
