"""`to_ours(to_theirs(w)) == w` for a BERT of any size."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gradatim.checkpoint.bert import read_config, rules, write_config
from gradatim.checkpoint.rules import to_ours, to_theirs
from gradatim.models.backbone import Backbone, BackboneConfig
from gradatim.models.presets import Sizes, bert

configs = st.builds(
    bert,
    st.builds(
        lambda heads, head_width, **rest: Sizes(num_heads=heads, width=heads * head_width, **rest),
        heads=st.integers(1, 3),
        head_width=st.integers(1, 5),
        num_layers=st.integers(1, 3),
        vocab_size=st.integers(1, 13),
        ffn_width=st.integers(1, 11),
        max_length=st.integers(1, 7),
    ),
    num_segments=st.integers(1, 3),
    activation=st.sampled_from(["gelu", "gelu_tanh", "relu", "silu"]),
    norm_eps=st.sampled_from([1e-12, 1e-5]),
)


@given(config=configs)
@settings(max_examples=30, deadline=None)
def test_weights_and_config_survive_the_round_trip(config: BackboneConfig) -> None:
    weights = Backbone(config).state_dict()
    table = rules(config)
    theirs = to_theirs(weights, table)
    back = to_ours(theirs, table, {name: tuple(t.shape) for name, t in weights.items()})
    assert back.keys() == weights.keys()
    assert all(torch.equal(back[name], weights[name]) for name in weights)
    assert sum(t.numel() for t in theirs.values()) == sum(t.numel() for t in weights.values())
    assert read_config(write_config(config)) == config
