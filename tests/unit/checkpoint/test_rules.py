"""Conversion tables are total, reversible, and say everything that is wrong at once."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from gradatim.checkpoint.bert import ACTIVATIONS, read_config, rules, write_config
from gradatim.checkpoint.rules import Drop, Fuse, Same, repeat, to_ours, to_theirs
from gradatim.errors import CheckpointError
from gradatim.models.backbone import Backbone, BackboneConfig
from gradatim.models.presets import Sizes, bert

TABLE = [Same("a", "x"), Fuse(("q", "k", "v"), "qkv"), Drop("head.*"), Drop("ids")]
SHAPES = {"x": (2, 3), "qkv": (21, 5)}


def theirs() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return {"a": torch.randn(2, 3), **{name: torch.randn(7, 5) for name in "qkv"}}


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
        to_ours(bad, TABLE, {**SHAPES, "y": (1,)})
    message = str(caught.value)
    for fault in (
        "missing k",
        "surplus stray",
        "surplus idsx",
        "misshapen x",
        "(3, 2)",
        "(2, 3)",
        "no rule makes y",
    ):
        assert fault in message
    assert "surplus q" not in message  # a known name is not surplus because its neighbour is missing


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


def config(**axes: Any) -> BackboneConfig:
    sizes = Sizes(vocab_size=31, num_layers=3, width=14, num_heads=2, ffn_width=17, max_length=11)
    return bert(sizes, **axes)


def test_berts_table_is_reversible_and_covers_every_weight() -> None:
    torch.manual_seed(0)
    weights = Backbone(config()).state_dict()
    shapes = {name: tuple(t.shape) for name, t in weights.items()}
    table = rules(config())
    back = to_ours(to_theirs(weights, table), table, shapes)
    assert back.keys() == weights.keys()
    assert all(torch.equal(back[name], weights[name]) for name in weights)


@pytest.mark.parametrize("activation", ACTIVATIONS.values())
def test_a_config_survives_the_round_trip(activation: str) -> None:
    made = config(activation=activation, norm_eps=1e-5, num_segments=3)
    assert read_config(write_config(made)) == made


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"model_type": "roberta"}, "roberta"),
        ({"model_type": None}, "model_type"),
        ({"position_embedding_type": "relative_key"}, "relative_key"),
        ({"hidden_act": "mish"}, "mish"),
        ({"is_decoder": True}, "is_decoder"),
    ],
)
def test_what_the_architecture_cannot_express_is_refused(change: dict[str, Any], named: str) -> None:
    with pytest.raises(CheckpointError, match=named):
        read_config({**write_config(config()), **change})


def test_absent_fields_are_all_named() -> None:
    fields = write_config(config())
    del fields["hidden_size"], fields["vocab_size"]
    with pytest.raises(CheckpointError, match="vocab_size, hidden_size"):
        read_config(fields)
