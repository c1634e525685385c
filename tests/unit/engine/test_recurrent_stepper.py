"""What goes from token to token: states row by row, memory once for all beams of a source."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
import torch

from gradatim.engine.names import READ
from gradatim.engine.pair import GraphPair
from gradatim.engine.recurrent_stepper import RecurrentStepper
from gradatim.engine.stepper import OnnxStepper
from gradatim.errors import ArtifactError
from gradatim.export.attentive import decoder_graph, encoder_graph
from gradatim.models.attentive import AttentiveConfig, Place, RecurrentSeq2Seq
from gradatim.models.recurrent import RecurrentConfig
from gradatim.types import Arrays

SOURCES: Arrays = {"ids": np.arange(3, 14), "lengths": np.array([5, 2, 4])}


def pair(place: Place = "before", **sizes: int) -> tuple[bytes, bytes]:
    torch.manual_seed(0)
    encoder = RecurrentConfig(vocab_size=17, width=6, hidden_width=5, bidirectional=True, locked=False)
    net = RecurrentSeq2Seq(
        encoder, AttentiveConfig(vocab_size=17, width=7, hidden_width=3, place=place, **sizes)
    )
    return encoder_graph(net), decoder_graph(net)


def stepper(place: Place = "before") -> RecurrentStepper:
    return RecurrentStepper(GraphPair(*pair(place), threads=1), start=1)


def test_beams_share_the_memory_of_their_source_until_a_source_is_over() -> None:
    writer = stepper()
    _, state = writer.begin(SOURCES, 4)
    memory = state.memory["state_memory"]
    assert memory.shape == (3, 5, 10)
    found, state = writer.advance(np.arange(3, 9), state.reorder(np.array([0, 0, 1, 1, 2, 2])), 4)
    assert state.memory["state_memory"] is memory
    assert found.attention is not None
    assert found.attention.shape == (6, 5)
    assert (found.attention[2:4, 2:] == 0).all()
    left = state.reorder(np.array([1, 1, 5, 4]))
    np.testing.assert_array_equal(left.memory["state_memory"], memory[[0, 2]])
    np.testing.assert_array_equal(left.memory[READ], [5, 4])
    np.testing.assert_array_equal(left.carried["state0"], state.carried["state0"][[1, 1, 5, 4]])


def test_a_row_goes_on_from_its_own_states() -> None:
    writer = stepper()
    _, state = writer.begin(SOURCES, 1)
    _, state = writer.advance(np.array([3, 4, 5, 6, 7, 8]), state.reorder(np.repeat(np.arange(3), 2)), 1)
    found, _ = writer.advance(np.array([9, 9]), state.reorder(np.array([3, 5])), 17)
    _, alone = writer.begin({"ids": SOURCES["ids"][5:7], "lengths": np.array([2])}, 1)
    _, alone = writer.advance(np.array([6]), alone, 1)
    wanted, _ = writer.advance(np.array([9]), alone, 17)
    np.testing.assert_allclose(found.log_probs[0], wanted.log_probs[0], atol=1e-5)


def test_without_attention_only_states_are_carried() -> None:
    writer = stepper("none")
    found, state = writer.begin(SOURCES, 2)
    assert found.attention is None
    assert state.memory == {}
    assert len(state.reorder(np.array([2, 0])).carried["state0"]) == 2


def test_many_sources_are_read_in_several_calls() -> None:
    lengths = np.array([100, 3, 40, 7] * 6)
    ids = np.random.default_rng(0).integers(3, 17, lengths.sum())
    found, _ = stepper().begin({"ids": ids, "lengths": lengths}, 17)
    ends = np.cumsum(lengths)
    for row in (0, 1, 22):
        alone = {"ids": ids[ends[row] - lengths[row] : ends[row]], "lengths": lengths[row : row + 1]}
        wanted, _ = stepper().begin(alone, 17)
        np.testing.assert_allclose(found.log_probs[row], wanted.log_probs[0], atol=1e-5)


def test_graphs_that_do_not_belong_together_are_refused() -> None:
    encoder, decoder = pair()
    for stepper, graphs in (
        (RecurrentStepper, (encoder, encoder)),
        (RecurrentStepper, (pair("none")[0], decoder)),
        (OnnxStepper, (encoder, decoder)),
    ):
        with pytest.raises(ArtifactError, match="writes no text"):
            stepper(GraphPair(*graphs, threads=1), start=1)
    with pytest.raises(ArtifactError, match="cannot be loaded"):
        GraphPair(b"nothing", decoder)
