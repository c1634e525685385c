"""Scores, surprisals and new text from any language model that keeps the protocol."""

import numpy as np
import pytest

from gradatim.decode.search import Search
from gradatim.errors import ConfigError
from gradatim.ngram.build import build
from gradatim.ngram.model import NgramModel
from gradatim.pipelines import language
from gradatim.pipelines.causal import CausalLanguage
from gradatim.pipelines.language import LanguagePipeline
from gradatim.text.space import IN_MEMORY
from gradatim.text.tokenizer import preset, train_tokenizer
from gradatim.types import Array, Arrays, Candidates

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
    search = Search(end=model.model.end, max_length=1, sample=True, top_k=0)
    [first] = model.generate([""], search, count=2000)
    share = first.count("a") / len(first)
    expected = np.exp(model.model.distribution([model.model.start]).astype(float))
    allowed = expected.sum() - expected[model.model.unknown]
    assert share == pytest.approx(expected[model.model.encode(["a"])[0][1]] / allowed, abs=0.04)


def test_the_likeliest_word_is_taken_and_seeds_repeat() -> None:
    model = pipeline()
    end = model.model.end
    likeliest = model.model.distribution(model.model.encode(["a b"])[0][:-1].tolist()).argmax()
    said = f"a b {model.model.decode([likeliest])}"
    assert model.generate(["a b", "a b"], Search(end=end, max_length=1)) == [[said], [said]]
    drawn = Search(end=end, max_length=20, sample=True, top_k=0, seed=5)
    texts = model.generate(["", "a"], drawn, count=100)
    assert texts == model.generate(["", "a"], drawn, count=100)
    assert len(set(texts[0])) > 5
    assert "<unk>" not in " ".join(texts[0] + texts[1])
    assert texts[1] == model.generate(["a"], drawn, count=100)[0]
    assert all(text.startswith("a") for text in texts[1])
    with pytest.raises(ConfigError, match="all would be the same"):
        model.generate(["a"], count=2)


def test_beams_find_likelier_sentences() -> None:
    model = pipeline()
    for length in (1, 3):
        search = Search(end=model.model.end, max_length=9, beams=4, best=length, length_penalty=0.0)
        [found] = model.generate(["b"], search)
        assert len(set(found)) == length
        greedy = model.generate(["b"], Search(end=model.model.end, max_length=9))[0]
        scores = model.score([*found, *greedy]).log_probs
        assert scores[0] >= scores[-1]
        assert scores[:length].tolist() == sorted(scores[:length], reverse=True)


def test_what_was_read_may_not_be_repeated() -> None:
    model = pipeline()
    search = Search(end=model.model.end, max_length=9, no_repeat=1, min_length=2)
    [[text]] = model.generate(["a b"], search)
    words = text.split()
    assert len(words) == len(set(words)) == 3


class Stubborn:
    """A session that wants the last token of its vocabulary, and then the end."""

    longest = None

    def __init__(self, vocab_size: int) -> None:
        self.vocab_size = vocab_size

    def begin(self, batch: Arrays, count: int) -> tuple[Candidates, None]:
        ids = np.arange(self.vocab_size - 1, self.vocab_size - 1 - count, -1)
        return Candidates(ids[None], np.linspace(0, -1, count)[None], np.zeros(1)), None

    def advance(self, ids: Array, state: None, count: int) -> tuple[Candidates, None]:
        return Candidates(np.arange(count)[None], np.linspace(0, -1, count)[None], np.zeros(1)), None

    def log_probs(self, ids: Array, targets: Array, sizes: Array) -> Array:
        return np.zeros(len(ids))


def test_without_unknown_words_no_token_is_ruled_out() -> None:
    tokenizer = train_tokenizer(LINES, preset("gpt2"), 300)
    size = tokenizer.get_vocab_size()
    model = CausalLanguage(Stubborn(size), tokenizer.to_str(), end=0)
    assert model.unknown == -1
    assert LanguagePipeline(model).generate(["a"]) == [["a" + model.decode([size - 1])]]
