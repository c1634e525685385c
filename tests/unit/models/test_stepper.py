"""A model that writes: in memory or as exported graphs the same texts, in bfloat16 nearly."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gradatim.decode.search import Search, Written
from gradatim.decode.write import write
from gradatim.engine.pair import GraphPair
from gradatim.engine.stepper import OnnxState, OnnxStepper
from gradatim.errors import ArtifactError
from gradatim.export.text_to_text import decoder_graph, encoder_graph, in_int8
from gradatim.models.language import Seq2Seq
from gradatim.models.presets import Sizes, decoder, gpt2, marian, t5, transformer
from gradatim.models.recurrent import WindowConfig
from gradatim.models.stepper import TorchState, TorchStepper
from gradatim.types import Array, Arrays, Candidates

VOCABULARY, START, END = 53, 0, 2
SIZES = Sizes(vocab_size=VOCABULARY, num_layers=2, width=24, num_heads=2, ffn_width=44, max_length=64)
CONFIGS = {
    "transformer": transformer(SIZES),
    "pre-norm": transformer(SIZES, norm_order="pre"),
    "marian": marian(SIZES),
    "t5": t5(SIZES, buckets=6, max_distance=20),
    "t5 v1.1": t5(SIZES, gated=True, activation="gelu_tanh"),
    "learned positions": gpt2(SIZES),
    "rotary": transformer(SIZES, rotary=True),
    "near": transformer(SIZES, window=3),
    "t5, near": t5(SIZES, buckets=6, max_distance=20, window=4),
}
SEARCHES = {
    "greedy": Search(end=END, max_length=40),
    "beams": Search(end=END, max_length=40, beams=4, best=4),
    "without repeats": Search(end=END, max_length=40, beams=3, repetition=1.3, no_repeat=3),
    "drawn": Search(end=END, max_length=40, sample=True, top_k=5),
}


class Asked:
    """A state that says where the rows are that are asked of it."""

    def reorder(self, rows: torch.Tensor) -> str:
        return rows.device.type


def test_what_decoding_makes_lies_where_the_model_does() -> None:
    device = torch.device("meta")
    assert TorchState(Asked(), device).reorder(np.array([2, 0])).own == "meta"
    body = WindowConfig(vocab_size=7, width=4, hidden_width=6).build().eval().to(device)
    ids = torch.zeros(3, dtype=torch.long, device=device)
    assert body.advance(ids, body.begin(3)).shape == (3, 6)


def model(name: str) -> Seq2Seq:
    torch.manual_seed(0)
    config = CONFIGS[name]
    net = Seq2Seq(config, decoder(config, num_layers=1 if name == "pre-norm" else None), head_scale=0.5)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    with torch.no_grad():  # so that some texts end and others do not
        net.decoder.embedding.words.weight[END] *= 1.5
    return net.eval()


def batch(*lengths: int) -> Arrays:
    rng = np.random.default_rng(1)
    return {"ids": rng.integers(3, VOCABULARY, sum(lengths)), "lengths": np.array(lengths)}


SOURCES = batch(7, 2, 5, 11, 1, 3, 4, 6)


def loaded(encoder: bytes, decoder: bytes) -> OnnxStepper:
    return OnnxStepper(GraphPair(encoder, decoder, threads=1), start=START)


def same(one: list[list[Written]], other: list[list[Written]], tolerance: float = 1e-5) -> None:
    for mine, theirs in zip(one, other, strict=True):
        assert [text.ids.tolist() for text in mine] == [text.ids.tolist() for text in theirs]
        np.testing.assert_allclose(
            [text.log_prob for text in mine], [text.log_prob for text in theirs], atol=tolerance, rtol=1e-5
        )


@pytest.mark.parametrize("name", CONFIGS)
def test_exported_graphs_write_what_the_model_writes(name: str) -> None:
    net = model(name)
    in_memory = TorchStepper(net, start=START)
    exported = loaded(encoder_graph(net), decoder_graph(net))
    assert exported.vocab_size == in_memory.vocab_size == VOCABULARY
    for search in SEARCHES.values():
        same(write(exported, SOURCES, search), write(in_memory, SOURCES, search))


@pytest.mark.parametrize("name", [name for name in SEARCHES if name != "drawn"])  # row i has draws of its own
def test_a_row_is_written_the_same_in_any_company(name: str) -> None:
    net, search = model("marian"), SEARCHES[name]
    exported = loaded(encoder_graph(net), decoder_graph(net))
    together = write(exported, SOURCES, search)
    ends = np.cumsum(SOURCES["lengths"])
    for row, (end, length) in enumerate(zip(ends, SOURCES["lengths"], strict=True)):
        alone = {"ids": SOURCES["ids"][end - length : end], "lengths": np.array([length])}
        same(write(exported, alone, search), [together[row]])


def test_rows_move_together_when_most_are_over_and_room_grows() -> None:
    net = model("transformer")
    exported = loaded(encoder_graph(net), decoder_graph(net))
    _, state = exported.begin(SOURCES, 3)
    before = state.past["state_past_k0"]
    assert len(before) == 8
    state = state.reorder(np.arange(7))
    assert state.past["state_past_k0"] is before
    state = state.reorder(np.array([1, 4, 5]))
    assert isinstance(state, OnnxState)
    assert len(state.past["state_past_k0"]) == 3
    for _ in range(40):
        found, state = exported.advance(np.array([5, 6, 7]), state, 3)
    assert state.past["state_past_k0"].shape[2] == 64
    alone, own = exported.begin({"ids": SOURCES["ids"][7:9], "lengths": np.array([2])}, 3)
    for _ in range(40):
        alone, own = exported.advance(np.array([5]), own, 3)
    np.testing.assert_allclose(alone.scores[0], found.scores[0], atol=1e-5)


@pytest.mark.parametrize("name", ["transformer", "t5"])
def test_bfloat16_says_nearly_the_same(name: str) -> None:
    net = model(name)
    found = []
    for bf16 in (False, True):
        stepper = TorchStepper(net, start=START, bf16=bf16)
        first, state = stepper.begin(SOURCES, VOCABULARY)
        then, _ = stepper.advance(np.arange(8) + 10, state.reorder(np.arange(8)), VOCABULARY)
        found.append(np.concatenate([by_token(first), by_token(then)]))
    assert 0 < np.abs(found[0] - found[1]).mean() < 0.03 * found[0].std()


def by_token(candidates: Candidates) -> Array:
    """The scores of all tokens, in their order."""
    order = np.argsort(candidates.ids, axis=1)
    found: Array = np.take_along_axis(candidates.scores, order, axis=1)
    return found


def test_int8_graphs_write_nearly_the_same() -> None:
    net = model("pre-norm")
    graphs = encoder_graph(net), decoder_graph(net)
    small = in_int8(*graphs, SOURCES, start=START, end=END)
    assert sum(map(len, small)) < 0.6 * sum(map(len, graphs))
    exact, rounded = (by_token(loaded(*both).begin(SOURCES, VOCABULARY)[0]) for both in (graphs, small))
    assert 0 < np.abs(exact - rounded).mean() < 0.05 * exact.std()


def test_what_cannot_be_loaded_is_refused() -> None:
    net = model("marian")
    with pytest.raises(ArtifactError):
        loaded(encoder_graph(net), encoder_graph(net))
    with pytest.raises(ArtifactError):
        loaded(b"nothing", decoder_graph(net))
