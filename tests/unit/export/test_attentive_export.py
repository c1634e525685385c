"""Recurrent encoder-decoders as two graphs: they write what the model writes, and look where it looks."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from gradatim.decode.search import Search, Written
from gradatim.decode.write import write
from gradatim.engine.pair import GraphPair
from gradatim.engine.recurrent_stepper import RecurrentStepper
from gradatim.export.text_to_text import graphs, in_int8, write_text_to_text
from gradatim.models.attentive import AttentiveConfig, Place, RecurrentSeq2Seq
from gradatim.models.recurrent import RecurrentConfig
from gradatim.models.stepper import TorchStepper
from gradatim.nn.packed import Layout
from gradatim.nn.recurrent import Cell
from gradatim.nn.scorer import Score
from gradatim.pipelines.open import load_text_to_text
from gradatim.pipelines.text_to_text import TextToText
from gradatim.text.pieces import PieceEncoder
from gradatim.text.tokenizer import preset, train_tokenizer
from gradatim.types import Arrays

VOCABULARY, START, END = 31, 0, 2
WAYS: list[tuple[Place, Score]] = [
    ("none", "additive"), ("before", "additive"), ("before", "general"), ("before", "dot"), ("after", "dot"),
    ("after", "general"), ("after", "additive"),
]  # fmt: skip
SEARCHES = [Search(end=END, max_length=12), Search(end=END, max_length=12, beams=3, best=3)]


def model(
    place: Place, score: Score, cell: Cell = "gru", layers: int = 2, both: bool = True
) -> RecurrentSeq2Seq:
    torch.manual_seed(0)
    encoder = RecurrentConfig(
        vocab_size=VOCABULARY, width=10 if both else 14, hidden_width=7, cell=cell, num_layers=layers,
        bidirectional=both, locked=False,
    )  # fmt: skip
    decoder = AttentiveConfig(
        vocab_size=VOCABULARY,
        width=11,
        hidden_width=14,
        cell=cell,
        num_layers=layers,
        place=place,
        score=score,
    )
    net = RecurrentSeq2Seq(encoder, decoder)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    with torch.no_grad():  # so that some texts end and others do not
        net.head.linear.bias[END] += 1.5
    return net.eval()


def batch(*lengths: int) -> Arrays:
    rng = np.random.default_rng(1)
    return {"ids": rng.integers(3, VOCABULARY, sum(lengths)), "lengths": np.array(lengths)}


SOURCES = batch(7, 2, 5, 11, 1, 3, 4, 6)


def exported(net: RecurrentSeq2Seq) -> RecurrentStepper:
    return RecurrentStepper(GraphPair(*graphs(net), threads=1), start=START)


def same(some: list[list[Written]], others: list[list[Written]]) -> None:
    for row, other in zip(some, others, strict=True):
        for text, wanted in zip(row, other, strict=True):
            assert text.ids.tolist() == wanted.ids.tolist()
            assert text.log_prob == pytest.approx(wanted.log_prob, abs=1e-4, rel=1e-5)
            assert (text.attention is None) == (wanted.attention is None)
            if text.attention is not None and wanted.attention is not None:
                np.testing.assert_allclose(text.attention, wanted.attention, atol=1e-4)


@pytest.mark.parametrize("cell", get_args(Cell))
@pytest.mark.parametrize("way", WAYS)
def test_graphs_write_what_the_model_writes(way: tuple[Place, Score], cell: Cell) -> None:
    for layers, both in ((1, True), (2, False)):
        net = model(*way, cell, layers, both)
        stepper, in_memory = exported(net), TorchStepper(net, start=START)
        assert stepper.vocab_size == VOCABULARY
        for search in SEARCHES:
            same(write(stepper, SOURCES, search), write(in_memory, SOURCES, search))


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("way", [("none", "additive"), ("before", "additive"), ("after", "dot")])
def test_a_row_is_written_the_same_in_any_company_and_order(way: tuple[Place, Score], search: Search) -> None:
    stepper = exported(model(*way, "lstm"))
    rows = np.split(SOURCES["ids"], np.cumsum(SOURCES["lengths"])[:-1])
    together = write(stepper, SOURCES, search)
    assert any(text.ended for [text, *_] in together)
    order = [3, 0, 7, 5, 1, 2, 6, 4]
    mixed = {"ids": np.concatenate([rows[row] for row in order]), "lengths": SOURCES["lengths"][order]}
    same(write(stepper, mixed, search), [together[row] for row in order])
    for row, ids in enumerate(rows):
        same(write(stepper, {"ids": ids, "lengths": np.array([len(ids)])}, search), [together[row]])


def test_int8_graphs_write_the_same_texts_in_smaller_files() -> None:
    net, rng = learned(), np.random.default_rng(1)
    sources = {"ids": rng.integers(3, 12, 256), "lengths": np.full(64, 4)}
    exact = graphs(net)
    small = in_int8(*exact, sources, start=START, end=END)
    assert sum(map(len, small)) < 0.6 * sum(map(len, exact))
    wanted, found = (
        [
            text.ids.tolist()
            for [text] in write(
                RecurrentStepper(GraphPair(*both, threads=1), start=START), sources, SEARCHES[0]
            )
        ]
        for both in (exact, small)
    )
    right = sources["ids"].reshape(64, 4)[:, ::-1].tolist()
    assert np.mean([text == row for text, row in zip(wanted, right, strict=True)]) > 0.95
    assert np.mean([text == row for text, row in zip(wanted, found, strict=True)]) > 0.95
    stepper = RecurrentStepper(GraphPair(*small, threads=1), start=START)
    together, _ = stepper.begin(sources, 12)
    alone, _ = stepper.begin({"ids": sources["ids"][:4], "lengths": np.array([4])}, 12)
    np.testing.assert_allclose(together.log_probs[0], alone.log_probs[0], atol=1e-5)


def learned() -> RecurrentSeq2Seq:
    """A model that has learned to write four tokens backwards."""
    torch.manual_seed(0)
    encoder = RecurrentConfig(vocab_size=12, width=24, hidden_width=24, bidirectional=True, init=0.5)
    decoder = AttentiveConfig(
        vocab_size=12, width=24, hidden_width=48, cell="lstm", place="after", score="general"
    )
    net, generator = RecurrentSeq2Seq(encoder, decoder), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    here, there = Layout.of([4] * 32), Layout.of([5] * 32)
    for _ in range(80):
        source = torch.randint(3, 12, (32, 4), generator=generator)
        backwards = torch.nn.functional.pad(source.flip(1), (1, 1), value=START)
        backwards[:, -1] = END
        logits = net(source.flatten(), here, backwards[:, :-1].flatten(), there)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(logits, backwards[:, 1:].flatten()).backward()
        optimizer.step()
    return net.eval()


@pytest.mark.parametrize("way", WAYS[:2])
def test_the_file_is_opened_by_what_its_graphs_carry(way: tuple[Place, Score], tmp_path: Path) -> None:
    tokenizer = train_tokenizer(["a b c d e f g h i j k l m n"] * 3, preset("word"), 40)
    source, net = tokenizer.to_str(), model(*way)
    settings = {"max_length": 9, "start": START, "end": END, "longest": None, "prefix": ""}
    write_text_to_text(tmp_path / "one.gradatim", net, source, settings=settings, provenance={})
    writer = load_text_to_text(tmp_path / "one.gradatim", threads=1)
    assert isinstance(writer.stepper, RecurrentStepper)
    in_memory = TextToText(
        TorchStepper(net, start=START), PieceEncoder(source, max_length=9), source, end=END
    )
    texts = ["a b c", "", "n m l k j i h g f e d c b a"]
    assert writer(texts, SEARCHES[0]) == in_memory(texts, SEARCHES[0])
    [[output]] = writer.outputs(["d a d"], SEARCHES[0])
    assert (output.attention is None) == (way[0] == "none")
