"""Laws of offsets: every piece knows its characters, and together they are the whole text."""

from __future__ import annotations

import functools
import unicodedata

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from gradatim.text.pieces import PieceEncoder
from gradatim.text.tokenizer import preset, train_tokenizer

LINES = [
    "the quick brown fox jumps over the lazy dog, naïvely; ÀÉÎÕÜ straße (fine!)\n",
    "THE QUICK BROWN FOX 0123456789 שלום עולם مرحبا 中文 テスト 👩 🏽 🚀\n",
]
HARD = [
    "nai\u0308ve", "na\u00efve", "e\u0301\u0323", "\U0001f469\U0001f3fd\u200d\U0001f680", "\U0001f1eb\U0001f1f7",
    "\u05e9\u05c1\u05dc\u05d5\u05b9", "\u202eabc\u202c", "中文", "テスト", "ｶﾞ", "각", "\u1100\u1161\u11a8", "a\u200bb",
    "\ufeff", "\u00ad", "\x00\x07\x1b", "\x85", "\u2028", "\u00a0", "\u3000", "ﬁne", "\u00a8", "½", "ﷺ", "İI", "ẞß",
    "Σς", "\U00010348", "\U000e0041", "x" * 130, "the fox", " ", "\t\r\n", "'s", "don't", "##", "▁", "</w>", "Ġ",
]  # fmt: skip
TEXT = st.lists(st.one_of(st.sampled_from(HARD), st.text(max_size=4)), max_size=8).map("".join)
WORD_KINDS = ("bert", "bert-lower", "transformer", "t5")


@functools.cache
def tokenizer(name: str) -> Tokenizer:
    family, _, lower = name.partition("-")
    return train_tokenizer(iter([*LINES, *HARD] * 3), preset(family, lowercase=bool(lower)), 700)


def plain(text: str) -> str:
    """Without white space; unigram pieces cannot tell a written ▁ from it."""
    return "".join(text.replace("▁", " ").split())


def surface(piece: str, kind: str) -> str:
    """A piece without the mark of its kind."""
    if kind.startswith("bert"):
        return piece.removeprefix("##")
    return piece.removesuffix("</w>") if kind == "transformer" else piece


@settings(deadline=None, max_examples=500)
@given(text=TEXT, name=st.sampled_from(WORD_KINDS))
def test_pieces_of_words_slice_the_text(text: str, name: str) -> None:
    """A piece's slice, up to where the next begins, normalises to the piece; before the first is nothing."""
    subject = tokenizer(name)
    encoding = subject.encode(text, add_special_tokens=False)
    clusters: list[tuple[int, int, list[str]]] = []  # pieces of one character (ﬁ is f and i) go together
    for piece, (start, end) in zip(encoding.tokens, encoding.offsets, strict=True):
        assert 0 <= start < end <= len(text)
        # NFKC may put a mark before another: the marks of a letter stay with it.
        marked = name == "t5" and unicodedata.combining(text[start])
        if clusters and (start < clusters[-1][1] or marked):
            first, last, pieces = clusters.pop()
            assert first <= start
            clusters.append((first, max(last, end), [*pieces, piece]))
        else:
            clusters.append((start, end, [piece]))
    normalise = subject.normalizer.normalize_str
    edges = [start for start, _, _ in clusters] + [len(text)]
    assert plain(normalise(text[: edges[0]])) == ""
    for (start, end, pieces), following in zip(clusters, edges[1:], strict=True):
        assert normalise(text[start:end]).strip() != ""
        if {"[UNK]", "<unk>"} & set(pieces):  # unigram shows the unknown itself
            continue
        assert plain(normalise(text[start:following])) == plain(
            "".join(surface(piece, name) for piece in pieces)
        )


@functools.cache
def letter_of() -> dict[str, int]:
    """The byte that each letter of a byte-level piece stands for (Radford et al. 2019, published code)."""
    shown = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {chr(b): b for b in shown} | {chr(256 + n): b for n, b in enumerate(hidden)}


@settings(deadline=None, max_examples=200)
@given(text=TEXT)
@example("\U0001f469\u200d\U0001f680 e\u0301")
def test_pieces_of_bytes_are_the_text_again(text: str) -> None:
    """The bytes of all pieces are those of the text; a span is every character that gave a byte."""
    subject = tokenizer("gpt2")
    encoding = subject.encode(text)
    assert subject.decode(encoding.ids) == text
    owner = [place for place, character in enumerate(text) for _ in character.encode()]
    at = 0
    for piece, (start, end) in zip(encoding.tokens, encoding.offsets, strict=True):
        content = bytes(letter_of()[letter] for letter in piece)
        assert content == text.encode()[at : at + len(content)]
        assert (start, end) == (owner[at], owner[at + len(content) - 1] + 1)
        at += len(content)
    assert at == len(owner)


NAMES = (*WORD_KINDS, "gpt", "gpt2", "roberta")
Token = tuple[int, int, int, int]  # origin, start, end, id


def tokens_of(encoder: PieceEncoder, texts: list[str], pairs: list[str] | None) -> list[list[list[Token]]]:
    """Per text its rows, per row the tokens that are not special."""
    encoded = encoder.encode(texts, pairs, spans=True)
    names = ("origins", "starts", "ends", "ids")
    tokens = list(zip(*(encoded.arrays[name].tolist() for name in names), strict=True))
    found: list[list[list[Token]]] = [[] for _ in texts]
    ends = np.cumsum(encoded.arrays["lengths"]).tolist()
    for owner, start, end in zip(encoded.owners.tolist(), [0, *ends], ends, strict=False):
        found[owner].append([token for token in tokens[start:end] if token[0] < 2])
    return found


@settings(deadline=None, max_examples=100)
@given(batch=st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=4), name=st.sampled_from(NAMES))
def test_a_batch_gives_what_its_texts_give_alone_and_windows_keep_offsets(
    batch: list[tuple[str, str]], name: str
) -> None:
    whole = PieceEncoder(tokenizer(name).to_str(), max_length=10_000)
    short = PieceEncoder(tokenizer(name).to_str(), max_length=15, stride=2)
    firsts, seconds = [a for a, _ in batch], [b for _, b in batch]
    for pairs in (None, seconds):
        together = tokens_of(whole, firsts, pairs)
        windows = tokens_of(short, firsts, pairs)
        for i, rows in enumerate(together):
            assert [rows] == tokens_of(whole, [firsts[i]], pairs and [pairs[i]])
            assert set().union(*windows[i]) == set(rows[0])
            if any(firsts[i] + (pairs[i] if pairs else "")):
                for origin, text in enumerate((firsts[i], *([pairs[i]] if pairs else []))):
                    wanted = tokenizer(name).encode(text, add_special_tokens=False)
                    mine = [token for token in rows[0] if token[0] == origin]
                    if wanted.ids:
                        assert [token[3] for token in mine] == wanted.ids
                        assert [token[1:3] for token in mine] == wanted.offsets
