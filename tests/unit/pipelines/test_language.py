"""Scores, surprisals and new text from any language model that keeps the protocol."""

import numpy as np
import pytest

from gradatim.errors import ConfigError
from gradatim.ngram.build import build
from gradatim.ngram.model import NgramModel
from gradatim.pipelines import language
from gradatim.pipelines.language import LanguagePipeline
from gradatim.text.space import IN_MEMORY

LINES = ["a b c", "a b", "c a", "b <unk> a"]


def pipeline() -> LanguagePipeline:
    built = build([("here", "\n".join(LINES).encode())], order=3, space=IN_MEMORY)
    return LanguagePipeline(NgramModel.of(built.table, built.vocabulary))


def test_totals_are_those_of_the_sentences() -> None:
    model = pipeline()
    scores = model.score(["a b", "", "zebra a"])
    assert scores.tokens.tolist() == [3, 1, 3]
    assert scores.unknown.tolist() == [0, 0, 1]
    assert scores.characters.tolist() == [4, 1, 8]
    assert scores.perplexity == pytest.approx(np.exp(-scores.log_probs.sum() / 7))
    bits = [[word.bits for word in model.surprisals(text)] for text in ("a b", "", "zebra a")]
    assert [-sum(row) * np.log(2) for row in bits] == pytest.approx(scores.log_probs.tolist(), rel=1e-5)
    known = sum(map(sum, bits)) - bits[2][0]
    assert scores.known_perplexity == pytest.approx(2 ** (known / 6), rel=1e-5)
    assert scores.bits_per_character == pytest.approx(sum(map(sum, bits)) / 13, rel=1e-5)
    assert len(model.score([]).tokens) == 0


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    model, texts = pipeline(), LINES * 20
    whole = model.score(texts).log_probs
    monkeypatch.setattr(language, "CHUNK_CHARACTERS", 7)
    assert model.score(texts).log_probs.tolist() == whole.tolist()


def test_surprisals_name_their_words() -> None:
    found = pipeline().surprisals("b zebra")
    assert [(word.token, word.known) for word in found] == [("b", True), ("<unk>", False), ("</s>", True)]


def test_text_is_drawn_as_often_as_it_is_likely() -> None:
    model = pipeline()
    first = [model.generate(max_tokens=1, seed=seed) for seed in range(2000)]
    share = first.count("a") / len(first)
    expected = np.exp(model.model.distribution([model.model.start]).astype(float))
    allowed = expected.sum() - expected[model.model.unknown]
    assert share == pytest.approx(expected[model.model.encode(["a"])[0][1]] / allowed, abs=0.04)


def test_temperature_zero_takes_the_likeliest_and_seeds_repeat() -> None:
    model = pipeline()
    likeliest = model.model.distribution(model.model.encode(["a b"])[0][:-1].tolist()).argmax()
    assert model.generate("a b", temperature=0, max_tokens=1) == f"a b {model.model.decode([likeliest])}"
    assert model.generate(seed=5) == model.generate(seed=5)
    assert model.generate("a b c", max_tokens=0) == "a b c"
    assert "<unk>" not in " ".join(model.generate(seed=seed) for seed in range(200))
    with pytest.raises(ConfigError, match="at least 0"):
        model.generate(temperature=-1)
