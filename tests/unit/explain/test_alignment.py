"""Where a model looked: rows that are distributions, over the tokens that were read and written, and their page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from gradatim.checkpoint.config import ModelConfig
from gradatim.checkpoint.folder import save_model
from gradatim.cli import app
from gradatim.decode.search import Search
from gradatim.errors import ConfigError
from gradatim.explain.alignment import align, diagonality, entropy, readable
from gradatim.explain.heads import all_heads
from gradatim.explain.page import write_page, write_picture
from gradatim.models.attentive import AttentiveConfig
from gradatim.models.convolutional import ConvolutionalConfig
from gradatim.models.language import EncoderDecoder
from gradatim.models.presets import Sizes, decoder, marian
from gradatim.models.recurrent import RecurrentConfig
from gradatim.models.stepper import TorchStepper
from gradatim.pipelines.text_to_text import TextToText
from gradatim.text.pieces import PieceEncoder
from gradatim.text.tokenizer import preset, train_tokenizer

TOKENIZER = train_tokenizer(["a dog <runs> to the old house & sleeps"] * 3, preset("word"), 30)
SIZE, END = TOKENIZER.get_vocab_size(), 1
PIECES = PieceEncoder(TOKENIZER.to_str(), max_length=12)


def config(kind: str = "marian") -> ModelConfig:
    special = {"pad": END, "start": END, "eos": END}
    if kind == "marian":
        body = marian(Sizes(vocab_size=SIZE, num_layers=2, width=12, num_heads=3, ffn_width=8, max_length=12))
        return ModelConfig(kind="seq2seq", body=body, decoder=decoder(body), special=special)
    if kind == "conv":
        reads = ConvolutionalConfig(vocab_size=SIZE, width=8, num_layers=2, max_length=12)
        return ModelConfig(kind="seq2seq", body=reads, decoder=reads.decoder(3), special=special)
    encoder = RecurrentConfig(vocab_size=SIZE, width=8, hidden_width=6, cell="gru", bidirectional=True)
    reader = AttentiveConfig(
        vocab_size=SIZE, width=8, hidden_width=6, place="none" if kind == "none" else "before"
    )
    return ModelConfig(kind="seq2seq", body=encoder, decoder=reader, special=special)


def model(kind: str = "marian") -> EncoderDecoder:
    torch.manual_seed(1)
    net = config(kind).build().eval()
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return net  # type: ignore[return-value]


def found(text: str, kind: str = "marian", beams: int = 2):  # type: ignore[no-untyped-def]
    search = Search(end=END, max_length=6, beams=beams, banned=(0,))
    writer = TextToText(TorchStepper(model(kind), start=END), PIECES, TOKENIZER.to_str(), end=END)
    return align(writer, text, search, look=all_heads)


@pytest.mark.parametrize(("kind", "layers", "heads"), [("marian", 2, 3), ("bahdanau", 1, 1), ("conv", 3, 1)])
def test_every_row_is_a_distribution_over_what_was_read(kind: str, layers: int, heads: int) -> None:
    alignment = found("a dog <runs> home", kind)
    assert alignment.source == ("a", "dog", "<runs>", "<unk>")
    assert " ".join(token for token in alignment.target if token != "</s>") == alignment.text
    assert len(alignment.target) == 6 or alignment.target[-1] == "</s>"
    assert alignment.heads.shape == (layers, heads, len(alignment.target), 4)
    np.testing.assert_allclose(alignment.heads.sum(axis=-1), 1, atol=1e-5)
    token, source, weight = alignment.links()[0]
    assert token == alignment.target[0]
    assert weight == pytest.approx(alignment.mean[0].max())
    assert source == alignment.source[alignment.mean[0].argmax()]


def test_measures_of_a_matrix() -> None:
    assert entropy(np.eye(4)) == pytest.approx(0, abs=1e-6)
    assert entropy(np.full((3, 8), 1 / 8)) == pytest.approx(3)
    assert diagonality(np.eye(5)) == pytest.approx(1)
    assert diagonality(np.eye(2)[::-1]) == pytest.approx(0)
    assert diagonality(np.full((99, 99), 1 / 99)) == pytest.approx(2 / 3, abs=0.01)


def test_pieces_are_readable() -> None:
    assert readable(["▁the", "▁riv", "er", "</s>"]) == ("the", "riv", "·er", "</s>")
    assert readable(["play", "##ing"]) == ("play", "·ing")
    assert readable(["▁the", "▁", "?"]) == ("the", "▁", "·?")
    assert readable(["the", "river"]) == ("the", "river")


def test_what_cannot_be_shown_is_refused() -> None:
    for text in (" ", "dog " * 13):
        with pytest.raises(ConfigError, match="1 to 12 tokens"):
            found(text)
    with pytest.raises(ConfigError, match="one vector"):
        found("a dog", "none")


def test_a_page_and_a_picture_are_written(tmp_path: Path) -> None:
    alignment = found("a dog <runs>")
    write_page(tmp_path / "page.html", "a dog <runs>", alignment)
    page = (tmp_path / "page.html").read_text()
    assert "&lt;runs&gt;" in page
    assert "<runs>" not in page
    assert page.count("<figure>") == 6
    assert "http" not in page
    write_picture(tmp_path / "picture.png", alignment)
    assert (tmp_path / "picture.png").read_bytes()[:4] == b"\x89PNG"


def explained(*words: object) -> str:
    result = CliRunner().invoke(app, ["explain", *map(str, words)])
    return result.output if result.exit_code == 0 else f"refused: {result.output}"


@pytest.mark.parametrize(("kind", "told"), [("bahdanau", True), ("none", False), ("marian", False)])
def test_the_command_says_who_comes_from_where(tmp_path: Path, kind: str, told: bool) -> None:
    folder, file, page = (tmp_path / name for name in ("model", "model.gradatim", "page.html"))
    save_model(model(kind), folder, config=config(kind))  # type: ignore[arg-type]
    TOKENIZER.save(str(folder / "tokenizer.json"))
    of_folder = explained(folder, "a dog", "--html", page)
    assert page.is_file() == (kind != "none")
    assert ("entropy" if kind != "none" else "one vector") in of_folder
    assert CliRunner().invoke(app, ["convert", str(folder), str(file)]).exit_code == 0
    of_file = explained(file, "a dog")
    assert of_file == of_folder if told else "does not tell" in of_file
