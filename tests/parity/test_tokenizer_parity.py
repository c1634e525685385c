"""Ids, offsets and segments are those of transformers, on text that is hard to cut."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import BPE, WordPiece

from gradatim.text.pieces import PieceEncoder
from gradatim.text.tokenizer import PRESETS, build_tokenizer, preset, train_tokenizer

transformers = pytest.importorskip("transformers")

HARD = {
    "plain": "The quick brown fox, it's said, doesn't jump over 1,234 lazy dogs!",
    "composed": "na\u00efve caf\u00e9 \u00c5ngstr\u00f6m \u1e69",
    "decomposed": "nai\u0308ve cafe\u0301 A\u030angstro\u0308m s\u0323\u0307",
    "stacked marks": "Z\u0351\u036b\u0343\u036a\u0302a\u0328\u0300lgo \u0301lost",
    "family": "\U0001f468\u200d\U0001f469\u200d\U0001f467 met",
    "skin tones": "\U0001f469\U0001f3fd\u200d\U0001f680 \U0001f44d\U0001f3ff",
    "flags and keycaps": "\U0001f1eb\U0001f1f7\U0001f1ef\U0001f1f5 #\ufe0f\u20e3 \u2764\ufe0f",
    "hebrew with points": "\u05e9\u05c1\u05dc\u05d5\u05b9\u05dd \u05e2\u05d5\u05dc\u05dd abc \u202e\u05d3\u05d2\u202c",
    "arabic": "\u0645\u0631\u062d\u0628\u0627 \u0628\u0650\u0633\u0652\u0645\u0650 \ufdfa \u0661\u0662\u0663",
    "han and kana": "我爱自然语言处理。テスト、ｶﾞｷﾞ 漢字kanji混じり\u3000全角",
    "korean": "한국어 \u1112\u1161\u11ab\u1100\u116e\u11a8 각",
    "thai and devanagari": "สวัสดีชาวโลก नमस्ते क्षत्रिय",
    "zero width": "zero\u200bwidth\u200djoin\u200cer\ufeff soft\u00adhyphen\u2060",
    "controls": "a\x00b\x07c\x1bd\x7fe\x85f\tg\rh\ni\x0bj\x1ck",
    "spaces": "  two  \u00a0no-break\u2003em\u2028line\u2029paragraph   ",
    "astral": "\U00010348\U0001d11e \U0001d573\U0001d58a \U00020bb7 \U000e0041",
    "ligatures and case": "ﬁne ﬄuent ½ ① ™ İstanbul ISI ẞtraße ǅ",
    "final sigma": "ΣΊΣΥΦΟΣ",
    "private and unassigned": "\ue000 \uf8ff \u0378 \ufffd \uffff",
    "long words": "a" * 99 + " " + "b" * 100 + " " + "c" * 101 + " " + "longest" * 40,
    "marks of pieces": "##ing ▁under </w> Ġ Ċ __ [MASKED] <extra_id_100> <s",
    "special tokens": "read [MASK] and [SEP] or <s>this</s>, <unk> <|endoftext|><extra_id_3>.",
    "blank": " \t\n ",
    "empty": "",
}
LINES = [f"{text}\n" for name, text in HARD.items() if name != "special tokens"] * 2
CORPUS = [*LINES, *["The quick brown fox jumps; naïve cafés were said to be lazy.\n"] * 6]


@pytest.fixture(scope="module")
def trained() -> Callable[[str], Tokenizer]:
    """A small tokenizer of each preset, trained once."""
    known: dict[str, Tokenizer] = {}

    def get(name: str) -> Tokenizer:
        if name not in known:
            known[name] = train_tokenizer(iter(CORPUS), preset(name), 1000)
        return known[name]

    return get


def ours(tokenizer: Tokenizer, text: str, pair: str | None) -> dict[str, list[Any]]:
    encoder = PieceEncoder(tokenizer.to_str(), max_length=100_000)
    arrays = encoder.encode([text], None if pair is None else [pair], spans=True).arrays
    return {
        "input_ids": arrays["ids"].tolist(),
        "token_type_ids": arrays["segments"].tolist(),
        "offset_mapping": np.stack([arrays["starts"], arrays["ends"]], 1).tolist(),
    }


def theirs(tokenizer: Any, text: str, pair: str | None) -> dict[str, list[Any]]:
    found = tokenizer(text, pair, return_offsets_mapping=True, return_token_type_ids=True, verbose=False)
    return {**found, "offset_mapping": [list(span) for span in found["offset_mapping"]]}


TEXTS = list(HARD.values())
# An empty second text is none to transformers; to us it is a text.
PAIRS = [(text, None) for text in TEXTS] + [(text, TEXTS[at - 3] or "x") for at, text in enumerate(TEXTS)]


@pytest.mark.parametrize("name", PRESETS)
def test_the_file_means_the_same_to_transformers(
    name: str, trained: Callable[[str], Tokenizer], tmp_path: Path
) -> None:
    tokenizer = trained(name)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    reference = transformers.PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / "tokenizer.json"))
    for text, pair in PAIRS:
        found, wanted = ours(tokenizer, text, pair), theirs(reference, text, pair)
        if not wanted["input_ids"]:  # a row may not be empty here: it holds the token that stands for nothing
            assert found["input_ids"]
            continue
        assert found == {name: wanted[name] for name in found}


def parts(tokenizer: Tokenizer) -> dict[str, Any]:
    """Vocabulary and merges, as the classes of transformers take them."""
    model = json.loads(tokenizer.to_str())["model"]
    if isinstance(model["vocab"], list):
        return {"vocab": [tuple(entry) for entry in model["vocab"]]}
    return {name: model[name] for name in ("vocab", "merges") if name in model}


@pytest.mark.parametrize("lowercase", [False, True])
def test_bert_pieces_are_those_of_its_class(lowercase: bool) -> None:
    tokenizer = train_tokenizer(iter(CORPUS), preset("bert", lowercase=lowercase), 1000)
    reference = transformers.BertTokenizer(**parts(tokenizer), do_lower_case=lowercase)
    for text, pair in PAIRS:
        found, wanted = ours(tokenizer, text, pair), theirs(reference, text, pair)
        assert found == {name: wanted[name] for name in found}


@pytest.mark.parametrize(("name", "family"), [("gpt", "OpenAIGPT"), ("gpt2", "GPT2"), ("roberta", "Roberta")])
def test_byte_pairs_are_those_of_the_class(
    name: str, family: str, trained: Callable[[str], Tokenizer]
) -> None:
    tokenizer = trained(name)
    vocabulary = parts(tokenizer)
    vocabulary["merges"] = [tuple(merge) for merge in vocabulary["merges"]]
    reference = getattr(transformers, f"{family}Tokenizer")(**vocabulary)
    for label, text in HARD.items():
        if label in ("special tokens", "blank", "empty"):
            continue  # the classes know other special tokens
        wanted, found = theirs(reference, text, None), ours(tokenizer, text, None)
        assert wanted["input_ids"] == found["input_ids"]
        if name != "roberta":  # whose class leaves out the space that a piece begins with
            assert wanted["offset_mapping"] == found["offset_mapping"]


def test_unigrams_are_those_of_the_class(trained: Callable[[str], Tokenizer]) -> None:
    tokenizer = trained("t5")
    sentinels = [(f"<extra_id_{i}>", 0.0) for i in reversed(range(100))]
    reference = transformers.T5Tokenizer(parts(tokenizer)["vocab"] + sentinels)
    normalise = tokenizer.normalizer.normalize_str  # published T5 brings this as a table of its own
    for text in TEXTS:
        assert theirs(reference, normalise(text), None)["input_ids"] == tokenizer.encode(text).ids
    last = tokenizer.get_vocab_size() - 1
    assert reference("<extra_id_0> <extra_id_1>")["input_ids"][:2] == [last, last - 1]


def published(*parts: str) -> Path:
    root = os.environ.get("GRADATIM_DATA")
    path = Path(root or ".", "pretrained", *parts)
    if not path.exists():
        pytest.skip("the published vocabularies lie under GRADATIM_DATA, which is not set")
    return path


def test_published_bert_vocabulary_gives_the_ids_of_the_published_python() -> None:
    from transformers.models.bert.tokenization_bert_legacy import BertTokenizerLegacy

    path = published("bert-base-uncased", "vocab.txt")
    words = path.read_text(encoding="utf-8").splitlines()
    model = WordPiece({word: i for i, word in enumerate(words)}, unk_token="[UNK]")
    tokenizer = build_tokenizer(model, preset("bert", lowercase=True))
    assert tokenizer.encode("hello world").ids == [101, 7592, 2088, 102]
    assert tokenizer.get_vocab_size() == 30522
    reference = BertTokenizerLegacy(str(path))
    for label, text in HARD.items():
        # Python's code lowers a word at once, not letter by letter, and drops private characters.
        if label not in ("final sigma", "private and unassigned"):
            assert tokenizer.encode(text).ids == reference(text)["input_ids"], label


def test_published_gpt2_vocabulary_gives_the_published_ids() -> None:
    folder = published("gpt2")
    model = BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt"))
    tokenizer = build_tokenizer(model, preset("gpt2"))
    assert tokenizer.get_vocab_size() == 50257
    assert tokenizer.encode("Hello world").ids == [15496, 995]
    assert tokenizer.encode("<|endoftext|>").ids == [50256]
    for text in TEXTS:
        assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) == text
