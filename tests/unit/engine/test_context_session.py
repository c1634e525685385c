"""The linear tagger's look-up: equal to all features gathered at once, in less memory."""

from __future__ import annotations

import tracemalloc

import numpy as np

from gradatim.engine.contexts import ContextSession
from gradatim.engine.keys import places


def test_weights_of_a_words_features_are_summed_feature_by_feature() -> None:
    rng = np.random.default_rng(0)
    known = np.unique(rng.integers(0, 1 << 60, 500).astype(np.uint64))
    weights, bias = (
        rng.normal(size=(len(known), 40)).astype(np.float32),
        rng.normal(size=40).astype(np.float32),
    )
    session = ContextSession(known, weights, bias, np.zeros((0, 40), np.float32))
    keys = rng.choice(np.concatenate([known, [np.uint64(5)]]), size=(20_000, 33))
    tracemalloc.start()
    found = session.run({"keys": keys, "lengths": np.array([len(keys)])})["logits"]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    rows = np.concatenate([weights, np.zeros((1, 40), np.float32)])
    np.testing.assert_array_equal(found, rows[places(known, keys)].sum(axis=1) + bias)
    assert peak < 50e6, "all at once they are 106 MB"
