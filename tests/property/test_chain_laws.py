"""A chain of tags against all its sequences written out, in numpy and in torch."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gradatim.engine.chain import best_tags, log_marginals
from gradatim.nn.chain import Chain
from gradatim.pipelines.tagging import chunks, iob2_transitions

TAGS = 3


@st.composite
def chains(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    lengths = np.array(draw(st.lists(st.integers(0, 4), min_size=1, max_size=4)))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    scores = rng.normal(size=(lengths.sum(), TAGS)).astype(np.float32)
    return scores, lengths, rng.normal(size=(TAGS + 1, TAGS)).astype(np.float32)


def sequences(scores: np.ndarray, transitions: np.ndarray) -> dict[tuple[int, ...], float]:
    """The score of every sequence of tags of one row."""
    return {
        tags: sum(
            float(scores[place, tag] + transitions[before, tag])
            for place, (before, tag) in enumerate(zip((TAGS, *tags), tags, strict=False))
        )
        for tags in product(range(TAGS), repeat=len(scores))
    }


@given(chains())
def test_marginals_best_tags_and_likelihood_are_those_of_all_sequences(
    chain: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    scores, lengths, transitions = chain
    marginals, best = log_marginals(scores, lengths, transitions), best_tags(scores, lengths, transitions)
    unlikely, ends = 0.0, np.cumsum(lengths)
    for start, end in zip(ends - lengths, ends, strict=True):
        every = sequences(scores[start:end], transitions)
        assert every[tuple(best[start:end].tolist())] == pytest.approx(max(every.values()), abs=1e-4)
        total = float(np.logaddexp.reduce(list(every.values())))
        unlikely += total - every[tuple(best[start:end].tolist())]
        for place in range(end - start):
            for tag in range(TAGS):
                some = [score for tags, score in every.items() if tags[place] == tag]
                wanted = float(np.logaddexp.reduce(some)) - total
                assert marginals[start + place, tag] == pytest.approx(wanted, abs=1e-4)
    learned = Chain(TAGS)
    with torch.no_grad():
        learned.transitions.copy_(torch.from_numpy(transitions))
        loss = learned(torch.from_numpy(scores), torch.from_numpy(best), lengths)
    assert float(loss) == pytest.approx(unlikely, abs=1e-3)


def test_the_likelihood_has_its_gradient() -> None:
    """d(-ln p)/d score = p(tag) - 1 where it is the right one."""
    rng = np.random.default_rng(0)
    scores = torch.from_numpy(rng.normal(size=(7, TAGS)).astype(np.float32)).requires_grad_()
    lengths, tags = np.array([2, 0, 5]), torch.from_numpy(rng.integers(0, TAGS, 7))
    chain = Chain(TAGS)
    torch.nn.init.normal_(chain.transitions)
    chain(scores, tags, lengths).backward()
    marginals = log_marginals(scores.detach().numpy(), lengths, chain.transitions.detach().numpy())
    wanted = np.exp(marginals) - np.eye(TAGS)[tags]
    np.testing.assert_allclose(scores.grad, wanted, atol=1e-5)


@given(st.integers(0, 1000), st.lists(st.integers(0, 6), min_size=1, max_size=4))
def test_no_entity_of_iob2_begins_inside(seed: int, sizes: list[int]) -> None:
    labels = ("O", "B-A", "I-A", "B-B", "I-B")
    lengths = np.array(sizes)
    scores = np.random.default_rng(seed).normal(size=(lengths.sum(), len(labels))).astype(np.float32)
    best = best_tags(scores, lengths, iob2_transitions(labels))
    for row in np.split(best, np.cumsum(lengths)[:-1]):
        tags = [labels[tag] for tag in row]
        for before, tag in zip(["O", *tags], tags, strict=False):
            assert tag[:2] != "I-" or (before != "O" and before[2:] == tag[2:])
        assert len(list(chunks(tags))) == sum(tag[:2] == "B-" for tag in tags)
