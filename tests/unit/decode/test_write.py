"""Greedy, beams and draws over a model whose every prefix has scores of its own."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradatim.decode.beam import beam_search
from gradatim.decode.search import Search, Written
from gradatim.decode.walk import walk
from gradatim.decode.write import write
from gradatim.errors import ConfigError
from gradatim.types import Array, Arrays, Candidates

END, VOCABULARY = 0, 5
Prefix = tuple[int, ...]


def logits(prefix: Prefix) -> Array:
    return np.random.default_rng([7, len(prefix), *prefix]).normal(size=VOCABULARY) * 2


def log_probs(prefix: Prefix) -> Array:
    scores = logits(prefix)
    return scores - np.logaddexp.reduce(scores)


@dataclass
class Prefixes:
    rows: list[Prefix]

    def reorder(self, rows: Array) -> Prefixes:
        return Prefixes([self.rows[row] for row in rows])


class Table:
    """The source's only token begins the prefix."""

    vocab_size = VOCABULARY

    def begin(self, batch: Arrays, count: int) -> tuple[Candidates, Prefixes]:
        state = Prefixes([(int(source),) for source in batch["ids"]])
        return self.candidates(state, count), state

    def advance(self, ids: Array, state: Prefixes, count: int) -> tuple[Candidates, Prefixes]:
        assert len(ids) == len(state.rows)
        state = Prefixes([(*row, int(token)) for row, token in zip(state.rows, ids, strict=True)])
        return self.candidates(state, count), state

    def candidates(self, state: Prefixes, count: int) -> Candidates:
        scores = np.stack([logits(row) for row in state.rows])
        ids = np.argsort(-scores, axis=1)[:, :count]
        looked = np.array([[1.0 + len(row), row[-1]] for row in state.rows])
        return Candidates(
            ids, np.take_along_axis(scores, ids, axis=1), np.logaddexp.reduce(scores, axis=1), looked
        )


def batch(*sources: int) -> Arrays:
    return {"ids": np.array(sources), "lengths": np.full(len(sources), 2)}


def found(search: Search, *sources: int, prefix: Array | None = None) -> list[list[Written]]:
    return write(Table(), batch(*sources), search, prefix=prefix)


def alike(one: Written, other: Written) -> bool:
    assert one.log_prob == pytest.approx(other.log_prob)
    assert one.score == pytest.approx(other.score)
    return one.ids.tolist() == other.ids.tolist() and one.ended == other.ended


def every_text(source: int, length: int) -> list[tuple[Prefix, float]]:
    """All texts that end within `length` tokens, or are cut there, with ln p."""
    texts = []
    for size in range(1, length + 1):
        for tokens in product(range(VOCABULARY), repeat=size):
            if END in tokens[:-1] or (tokens[-1] != END and size < length):
                continue
            parts = [log_probs((source, *tokens[:i]))[token] for i, token in enumerate(tokens)]
            texts.append((tokens, float(sum(parts))))
    return texts


sources_of = st.lists(st.integers(0, 40), min_size=1, max_size=4)


@given(st.integers(0, 99))
@settings(deadline=None, max_examples=20)
def test_greedy_takes_the_best_each_time(source: int) -> None:
    [[text]] = found(Search(end=END, max_length=6), source)
    prefix: Prefix = (source,)
    total = 0.0
    while len(prefix) <= 6 and (len(prefix) == 1 or prefix[-1] != END):
        token = int(logits(prefix).argmax())
        total += log_probs(prefix)[token]
        prefix = (*prefix, token)
    ended = prefix[-1] == END
    assert text.ids.tolist() == list(prefix[1 : len(prefix) - ended])
    assert text.ended == ended
    assert text.log_prob == pytest.approx(total)
    assert text.attention is not None
    assert len(text.attention) == len(text.ids)


@given(sources_of, st.sampled_from([0.0, 0.7, 1.0, 2.0]))
@settings(deadline=None, max_examples=20)
def test_one_beam_is_greedy(sources: list[int], penalty: float) -> None:
    search = Search(end=END, max_length=7, length_penalty=penalty)
    for [one], [other] in zip(
        beam_search(Table(), batch(*sources), search), found(search, *sources), strict=True
    ):
        assert alike(one, other)
        np.testing.assert_array_equal(one.attention, other.attention)


@pytest.mark.parametrize("penalty", [0.0, 1.0, 1.5])
def test_enough_beams_find_the_best_text_there_is(penalty: float) -> None:
    search = Search(end=END, max_length=4, beams=700, best=3, stop="sure", length_penalty=penalty)
    for source in range(8):
        ranked = sorted(
            ((total / len(tokens) ** penalty, tokens) for tokens, total in every_text(source, 4)),
            reverse=True,
        )
        for text, (score, tokens) in zip(found(search, source)[0], ranked, strict=False):
            assert text.score == pytest.approx(score)
            assert text.ids.tolist() == [token for token in tokens if token != END]


@given(sources_of, st.integers(2, 4), st.sampled_from(["first", "likely", "sure"]))
@settings(deadline=None, max_examples=30)
def test_rows_do_not_see_each_other(sources: list[int], beams: int, stop: Any) -> None:
    for search in (
        Search(end=END, max_length=6),
        Search(end=END, max_length=6, beams=beams, best=beams, stop=stop),
    ):
        together = found(search, *sources)
        for source, texts in zip(sources, together, strict=True):
            [alone] = found(search, source)
            assert len(alone) == len(texts)
            assert all(map(alike, alone, texts))
        assert all(texts[0].score >= texts[-1].score for texts in together)


def test_a_wider_search_finds_better_texts_and_different_ones() -> None:
    greedy, wide = (
        [
            texts[0].log_prob
            for texts in found(Search(end=END, max_length=8, beams=n, length_penalty=0.0), *range(40))
        ]
        for n in (1, 4)
    )
    assert np.mean(wide) > np.mean(greedy)
    [texts] = found(Search(end=END, max_length=8, beams=4, best=4), 3)
    assert len({tuple(text.ids.tolist()) for text in texts}) == 4


@given(sources_of, st.integers(1, 3))
@settings(deadline=None, max_examples=30)
def test_what_is_ruled_out_does_not_come(sources: list[int], beams: int) -> None:
    search = Search(end=END, max_length=9, min_length=4, beams=beams, no_repeat=2, banned=(3,))
    for [text] in found(search, *sources):
        tokens = text.ids.tolist()
        assert 3 not in tokens
        assert len(tokens) + text.ended >= 4
        pairs = list(pairwise(tokens))
        assert len(pairs) == len(set(pairs))


@given(sources_of, st.integers(1, 3))
@settings(deadline=None, max_examples=20)
def test_a_prefix_is_written_first_and_costs_nothing(sources: list[int], beams: int) -> None:
    prefix = np.array([[4, 1, -1], [2, 2, 3], [-1, -1, -1], [1, -1, -1]])[: len(sources)]
    search = Search(end=END, max_length=7, beams=beams)
    for row, [text] in enumerate(found(search, *sources, prefix=prefix)):
        given_first = [token for token in prefix[row].tolist() if token >= 0]
        assert text.ids.tolist()[: len(given_first)] == given_first
        tokens = [sources[row], *text.ids.tolist(), *([END] if text.ended else [])]
        costs = [log_probs(tuple(tokens[:i]))[tokens[i]] for i in range(len(given_first) + 1, len(tokens))]
        assert text.log_prob == pytest.approx(sum(costs))


@pytest.mark.parametrize("beams", [1, 2])
@pytest.mark.parametrize("rule", [{"no_repeat": 2}, {"banned": (1,)}])
def test_a_prefix_is_written_whatever_is_ruled_out(beams: int, rule: dict[str, Any]) -> None:
    search = Search(end=END, max_length=6, beams=beams, **rule)
    for [text] in found(search, 3, 8, prefix=np.array([[1, 2, 1, 2], [1, -1, -1, -1]])):
        assert text.ids.tolist()[:1] == [1]
    [text], _ = found(search, 3, 8, prefix=np.array([[1, 2, 1, 2], [1, -1, -1, -1]]))
    assert text.ids.tolist()[:4] == [1, 2, 1, 2]


def test_what_is_raised_may_be_any_token() -> None:
    search = Search(end=END, max_length=2, repetition=0.01)
    for [text], source in zip(found(search, *range(20), prefix=np.full((20, 1), 3)), range(20), strict=True):
        scores = logits((source, 3))
        scores[3] *= 0.01 if scores[3] < 0 else 100
        assert [*text.ids.tolist(), END][1] == scores.argmax()


def test_a_repeated_token_scores_less() -> None:
    plain, less = (found(Search(end=END, max_length=30, repetition=r), *range(30)) for r in (1.0, 1.8))

    def repeated(texts: list[list[Written]]) -> float:
        return float(np.mean([len(t.ids) - len(set(t.ids.tolist())) for [t] in texts]))

    assert repeated(less) < repeated(plain)


def test_draws_follow_the_probabilities_and_their_seed() -> None:
    def first(search: Search, times: int) -> Array:
        [step, *_] = walk(Table(), batch(*[5] * times), search)
        return np.bincount(step.ids, minlength=VOCABULARY) / times

    search = Search(end=END, max_length=1, sample=True, top_k=0)
    np.testing.assert_allclose(first(search, 4000), np.exp(log_probs((5,))), atol=0.03)
    two = first(Search(end=END, max_length=1, sample=True, top_k=2), 400)
    assert set(np.flatnonzero(two)) == set(np.argsort(-logits((5,)))[:2])
    held = first(Search(end=END, max_length=1, sample=True, top_k=0, top_p=0.6), 400)
    share = np.sort(np.exp(log_probs((5,))))[::-1]
    assert (held > 0).sum() == np.searchsorted(np.cumsum(share), 0.6) + 1
    sharp = first(Search(end=END, max_length=1, sample=True, top_k=0, temperature=0.05), 400)
    assert sharp.max() > 0.97
    again = Search(end=END, max_length=9, sample=True, seed=4)
    texts = [[text.ids.tolist() for [text] in found(again, *range(6))] for _ in range(2)]
    assert texts[0] == texts[1]


def test_coverage_prefers_texts_that_looked_everywhere() -> None:
    for source in range(5):
        for weight in (0.0, 0.5):
            search = Search(end=END, max_length=5, beams=3, best=3, coverage=weight)
            for text in found(search, source)[0]:
                assert text.attention is not None
                tokens = [source, *text.ids.tolist()]
                rows = np.array([[1.0 + i, token] for i, token in enumerate(tokens, start=1)])
                rows = rows if text.ended else rows[:-1]
                covered = np.log(np.maximum(np.minimum(rows.sum(axis=0), 1), 1e-9)).sum()
                length = len(text.ids) + text.ended
                assert text.score == pytest.approx(text.log_prob / length + weight * covered)


@pytest.mark.parametrize(
    "wrong",
    [{"beams": 0}, {"max_length": 0}, {"best": 2}, {"sample": True, "beams": 2}, {"temperature": 0.0}, {"top_p": 0.0},
     {"min_length": 9, "max_length": 3}, {"no_repeat": -1}, {"stop": "never"}, {"length_penalty": float("nan")}],
)  # fmt: skip
def test_a_search_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Search(end=END, **wrong)
