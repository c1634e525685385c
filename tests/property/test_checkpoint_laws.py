"""For a model of any family and size: our weights and its configuration survive the way there and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gradatim.checkpoint.config import ModelConfig
from gradatim.checkpoint.folder import FAMILIES, family_of
from gradatim.checkpoint.rules import Zeros, to_ours, to_theirs
from gradatim.models.presets import Sizes as PresetSizes
from gradatim.models.presets import bert, decoder, distilbert, gpt, gpt2, marian, mpnet, roberta, t5, tapas
from gradatim.text.grids import GridConfig

sizes = st.builds(
    lambda heads, head_width, **rest: PresetSizes(num_heads=heads, width=heads * head_width, **rest),
    heads=st.integers(1, 3),
    head_width=st.integers(1, 5),
    num_layers=st.integers(1, 3),
    vocab_size=st.integers(1, 13),
    ffn_width=st.integers(1, 11),
    max_length=st.integers(1, 7),
)
activations = st.sampled_from(["gelu", "gelu_tanh", "relu", "silu"])
bodies: dict[str, Any] = {
    "bert": st.builds(bert, sizes, num_segments=st.integers(1, 3), activation=activations),
    "roberta": st.builds(roberta, sizes, activation=activations),
    "distilbert": st.builds(distilbert, sizes, activation=activations),
    "mpnet": st.builds(mpnet, sizes, activation=activations),
    "openai-gpt": st.builds(
        lambda known, **axes: gpt(replace(known, ffn_width=4 * known.width), **axes),
        sizes,
        activation=st.sampled_from(["gelu_tanh", "relu", "silu"]),
    ),
    "gpt2": st.builds(gpt2, sizes, activation=activations),
    "t5": st.builds(
        lambda known, head_width, **axes: t5(replace(known, head_width=head_width), **axes),
        sizes,
        head_width=st.integers(1, 5),
        activation=st.sampled_from(["gelu_tanh", "relu", "silu"]),
        gated=st.booleans(),
    ),
    "tapas": st.builds(tapas, sizes, num_segments=st.integers(1, 3), activation=activations),
    "marian": st.builds(marian, sizes, activation=activations, scaled=st.booleans()),
}


@st.composite
def models(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A family, and the fields of one of its models."""
    name = draw(st.sampled_from(sorted(bodies)))
    body = draw(bodies[name])
    kinds = sorted({architecture.kind for architecture in FAMILIES[name].architectures.values()})
    kind = draw(st.sampled_from(kinds))
    more: dict[str, Any] = {}
    if kind == "seq2seq":
        tied = name == "marian" or draw(st.booleans())
        more = {"decoder": decoder(body, num_layers=draw(st.integers(1, 3))), "tied": tied}
        scale = body.width**-0.5 if name == "t5" and draw(st.booleans()) else 1.0
        more |= {"scale": scale, "bias": name == "marian", "shared": name == "t5" or draw(st.booleans())}
    elif kind == "causal":
        more = {"tied": draw(st.booleans())}
    elif kind in ("masked", "pretraining"):
        activation = "gelu" if name in ("roberta", "mpnet") else body.block.activation
        more = {"activation": activation, "norm_eps": body.block.norm_eps}
    elif kind != "body":
        outputs = {"choice": 1, "relation": 2}.get(kind) or draw(st.integers(1, 4))
        more = {"num_outputs": outputs}
        if name in ("gpt2", "openai-gpt") and kind == "classification":
            more |= {"pooling": ("last",), "dropout": 0.0}
        elif kind in ("classification", "choice", "relation"):
            more["inner"] = "relu" if name == "distilbert" else "tanh"
        if kind == "table":
            more["grid"] = GridConfig(one_column=draw(st.booleans()), max_rows=draw(st.integers(2, 9)))
    return name, {"kind": kind, "body": body, **more}


@given(drawn=models())
@settings(max_examples=40, deadline=None)
def test_weights_and_config_survive_the_round_trip(drawn: tuple[str, dict[str, Any]]) -> None:
    name, config = drawn[0], ModelConfig(**drawn[1], special={"pad": 1})
    family = FAMILIES[name]
    weights = {n: p.detach() for n, p in config.build().named_parameters()}
    fields = family.fields(config)
    architecture = family.architectures[fields["architectures"][0]]
    table = family.table(config, architecture)
    theirs = to_theirs(weights, table)
    back = to_ours(theirs, table, {n: tuple(t.shape) for n, t in weights.items()})
    assert back.keys() == weights.keys()
    assert all(torch.equal(back[n], weights[n]) for n in weights)
    absent = {rule.ours for rule in table if isinstance(rule, Zeros)}
    assert not any(weights[n].any() for n in absent)
    stored = sum(t.numel() for n, t in weights.items() if n not in absent)
    assert sum(t.numel() for t in theirs.values()) == stored
    assert family.config(fields, architecture) == config
    assert family_of(config) == name
