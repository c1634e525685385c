"""A model that has one table of words keeps one in its file, in whatever precision and however many graphs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from gradatim.decode.search import Search
from gradatim.decode.write import write
from gradatim.engine.names import ASKED
from gradatim.engine.pair import SHARED, GraphPair
from gradatim.engine.recurrent_stepper import RecurrentStepper
from gradatim.engine.stepper import OnnxStepper
from gradatim.errors import ArtifactError
from gradatim.export.quantise import LOOKUP, Quantiser
from gradatim.export.reader import to_onnx
from gradatim.export.shared import members
from gradatim.export.text_to_text import graphs, in_int8
from gradatim.models.attentive import AttentiveConfig, RecurrentSeq2Seq
from gradatim.models.classifier import num_parameters
from gradatim.models.heads import MaskedHead
from gradatim.models.language import EncoderDecoder, LanguageModel, Seq2Seq
from gradatim.models.presets import Sizes, bert, decoder, marian, t5, transformer
from gradatim.models.recurrent import RecurrentConfig

VOCABULARY, START, END = 1009, 0, 2
SIZES = Sizes(vocab_size=VOCABULARY, num_layers=1, width=32, num_heads=2, ffn_width=44, max_length=64)
SOURCES = {
    "ids": np.random.default_rng(1).integers(3, VOCABULARY, 39),
    "lengths": np.array([7, 2, 5, 11, 1, 3, 4, 6]),
}
SEARCH = Search(end=END, max_length=20)


def model(name: str) -> EncoderDecoder:
    torch.manual_seed(0)
    if name == "recurrent":
        net: EncoderDecoder = RecurrentSeq2Seq(
            RecurrentConfig(vocab_size=VOCABULARY, width=32, hidden_width=32, cell="gru", num_layers=1),
            AttentiveConfig(vocab_size=VOCABULARY, width=32, hidden_width=32),
            shared=True,
        )
    else:
        config = {"transformer": transformer, "marian": marian, "t5": t5}[name](SIZES)
        net = Seq2Seq(config, decoder(config))
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.3)
    return net.eval()


@pytest.mark.parametrize("name", ["transformer", "marian", "t5", "recurrent"])
@pytest.mark.parametrize("int8", [False, True])
def test_two_graphs_share_it_and_write_the_same(name: str, int8: bool) -> None:
    net = model(name)
    both = graphs(net)
    if int8:
        both = in_int8(*both, SOURCES, start=START, end=END)
    parts = members(*both)
    shared = {member: weights for member, weights in parts.items() if member.endswith(SHARED)}
    table = VOCABULARY * 32 * (1 if int8 else 4)
    assert table in map(len, shared.values())
    assert sum(map(len, parts.values())) < sum(map(len, both)) - 0.95 * table
    assert sum(map(len, parts.values())) < 2 * table + 4 * (num_parameters(net) - VOCABULARY * 32)
    kind = RecurrentStepper if name == "recurrent" else OnnxStepper
    apart = GraphPair(parts["encoder.onnx"], parts["decoder.onnx"], threads=1, shared=shared)
    found, wanted = (
        write(kind(pair, start=START), SOURCES, SEARCH) for pair in (apart, GraphPair(*both, threads=1))
    )
    assert [text.ids.tolist() for [text] in found] == [text.ids.tolist() for [text] in wanted]
    assert [text.log_prob for [text] in found] == [text.log_prob for [text] in wanted]
    with pytest.raises(ArtifactError, match="cannot be loaded"):
        GraphPair(parts["encoder.onnx"], parts["decoder.onnx"], threads=1)


def test_a_model_of_masked_words_scores_them_by_the_table_that_it_looks_them_up_in() -> None:
    torch.manual_seed(0)
    config = bert(SIZES)
    body = config.build()
    net = LanguageModel(body, MaskedHead(body.embedding.words)).eval()
    exact = to_onnx(net)
    table = VOCABULARY * 32 * 4
    assert len(exact) < 1.5 * table
    calls = [{"ids": np.arange(3, 40)[None], "lengths": np.array([37]), ASKED: np.arange(37)}]
    quantiser = Quantiser(exact, calls)
    assert {"vocabulary", LOOKUP} <= set(quantiser.parts)
    assert len(quantiser.convert()) < 0.6 * len(exact)
