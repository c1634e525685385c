"""A text in pieces is the text: whatever the tokenizer, the tokens, the parts that are read and the draws."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models

from gradatim.decode.search import Search
from gradatim.errors import ConfigError
from gradatim.pipelines.language import LanguagePipeline
from gradatim.pipelines.text_to_text import TextToText
from gradatim.text.pieces import PieceEncoder
from gradatim.text.stream import NO_CHARACTER, single_bytes, streamed
from gradatim.text.tokenizer import preset, train_tokenizer
from gradatim.types import Array, Arrays, Candidates

TEXTS = [
    "It's a dog, isn't it? They do not run! 'Tis so; \"quoted\" (and more) ...",
    "Füße, naïve café, Straße. Ελληνικά και Русский текст. 日本語のテキスト、漢字。",
    "👩‍👩‍👧 emoji 🎉🎉 and  two spaces\tand tabs\nand lines \ufffd",
] * 2


def with_bytes() -> Tokenizer:
    """Unigrams, and bytes for what they lack, as Llama's."""
    pieces = [("<unk>", 0.0), ("</s>", 0.0), ("▁", -2.0), ("▁a", -2.0), ("b", -2.0), ("é", -3.0)]
    every = [(f"<0x{byte:02X}>", -9.0) for byte in range(256)]
    tokenizer = Tokenizer(models.Unigram([*pieces, *every], unk_id=0, byte_fallback=True))
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return tokenizer


SIZES = {"gpt2": 320, "roberta": 330, "bert": 160, "transformer": 160, "marian": 170, "t5": 280, "word": 60}
TOKENIZERS = {name: train_tokenizer(TEXTS, preset(name), size) for name, size in SIZES.items()}
TOKENIZERS |= {"character": train_tokenizer(TEXTS, preset("character"), 200), "bytes": with_bytes()}


class Babbler:
    """Writes tokens that nothing but the source and what is written already decides, all of them as likely."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.vocab_size = tokenizer.get_vocab_size()

    def begin(self, batch: Arrays, count: int) -> tuple[Candidates, Rows]:
        rows = np.split(batch["ids"], np.cumsum(batch["lengths"])[:-1])
        return self.candidates(Rows([row.tolist() for row in rows]), count)

    def advance(self, ids: Array, state: Rows, count: int) -> tuple[Candidates, Rows]:
        rows = [[*row, token] for row, token in zip(state.rows, ids.tolist(), strict=True)]
        return self.candidates(Rows(rows), count)

    def candidates(self, state: Rows, count: int) -> tuple[Candidates, Rows]:
        ids = np.stack([np.random.default_rng(row).permutation(self.vocab_size) for row in state.rows])
        scores = np.tile(-np.arange(count) / 50, (len(ids), 1))
        return Candidates(ids[:, :count], scores, np.zeros(len(ids))), state


class Rows:
    """What each row has read and written."""

    def __init__(self, rows: list[list[int]]) -> None:
        self.rows = rows

    def reorder(self, rows: Array) -> Rows:
        return Rows([self.rows[row] for row in rows])


class Speaker:
    """A language model that babbles."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer, self.stepper = tokenizer, Babbler(tokenizer)
        self.loose = single_bytes(tokenizer)
        self.start = self.end = self.unknown = 1

    def encode(self, texts: list[str]) -> tuple[Array, Array]:
        rows = [[1, *self.tokenizer.encode(text, add_special_tokens=False).ids, 1] for text in texts]
        return np.concatenate(rows), np.array([len(row) for row in rows])

    def log_probs(self, ids: Array, sizes: Array) -> Array:
        return np.zeros(len(ids))

    def decode(self, ids: list[int]) -> str:
        return str(self.tokenizer.decode(ids, skip_special_tokens=False))


searches = st.builds(
    lambda sample, seed, length: Search(
        end=1, max_length=length, sample=sample, seed=seed, top_k=0, no_repeat=3
    ),
    st.booleans(), st.integers(0, 99), st.integers(1, 30),
)  # fmt: skip
words = st.lists(st.sampled_from(" ".join(TEXTS).split()), max_size=20).map(" ".join)


@pytest.mark.parametrize("name", TOKENIZERS)
@given(data=st.data())
@settings(max_examples=20)
def test_pieces_join_to_the_text_and_come_as_soon_as_they_are_sure(name: str, data: st.DataObject) -> None:
    tokenizer = TOKENIZERS[name]
    ids = data.draw(st.lists(st.integers(0, tokenizer.get_vocab_size() - 1), max_size=30))
    loose, given_so_far, said = single_bytes(tokenizer), list[int](), ""
    assert (name == "bytes") == bool(loose)

    def told() -> Iterator[list[int]]:
        for token in ids:
            given_so_far.append(token)
            yield [token]

    for piece in streamed(told(), tokenizer.decode, loose=loose):
        assert piece
        said += piece
        if len(given_so_far) < len(ids):
            assert said == tokenizer.decode(given_so_far).rstrip(NO_CHARACTER)
    assert said == tokenizer.decode(ids)


@pytest.mark.parametrize("name", TOKENIZERS)
@given(text=words, search=searches, begin=st.sampled_from(["", "Straße 🎉"]))
@settings(max_examples=20)
def test_a_streamed_text_is_the_text(name: str, text: str, search: Search, begin: str) -> None:
    tokenizer = TOKENIZERS[name]
    writer = TextToText(
        Babbler(tokenizer), PieceEncoder(tokenizer.to_str(), max_length=24), tokenizer.to_str(), end=1
    )
    [[whole]] = writer.outputs([text], search, begin=[begin])
    assert "".join(writer.stream(text, search, begin=begin)) == whole.text


@pytest.mark.parametrize("name", TOKENIZERS)
@given(prompt=words, search=searches, number=st.integers(0, 3))
@settings(max_examples=20)
def test_a_streamed_continuation_is_the_continuation(
    name: str, prompt: str, search: Search, number: int
) -> None:
    model = LanguagePipeline(Speaker(TOKENIZERS[name]))
    count = 4 if search.sample else 1
    number = number % count
    [texts] = model.generate([prompt], search, count=count)
    assert "".join(model.stream(prompt, search, number=number)) == texts[number]


def test_beams_cannot_be_streamed() -> None:
    tokenizer = TOKENIZERS["gpt2"]
    search = Search(end=1, beams=3)
    pieces = PieceEncoder(tokenizer.to_str(), max_length=24)
    with pytest.raises(ConfigError, match="3 beams"):
        TextToText(Babbler(tokenizer), pieces, tokenizer.to_str(), end=1).stream("a dog", search)
    with pytest.raises(ConfigError, match="3 beams"):
        LanguagePipeline(Speaker(tokenizer)).stream("a dog", search)


def test_the_tokenizers_have_what_makes_streaming_hard() -> None:
    euro = TOKENIZERS["gpt2"].encode("€").ids
    assert len(euro) == 3
    assert list(streamed([[token] for token in euro], TOKENIZERS["gpt2"].decode)) == ["€"]
    assert json.loads(TOKENIZERS["bert"].to_str())["decoder"]["cleanup"]
    assert TOKENIZERS["bytes"].decode([100]) != NO_CHARACTER
    assert TOKENIZERS["bytes"].decode([100, 240]) == 2 * NO_CHARACTER
