"""The packed model is the table to within its steps, in memory, from a file and from blocks on disk."""

import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from gradatim.engine.artifact import read_artifact
from gradatim.errors import ArtifactError
from gradatim.ngram import table as tables
from gradatim.ngram.build import build
from gradatim.ngram.model import NgramModel, Steps
from gradatim.ngram.smoothing import METHODS, named
from gradatim.ngram.stored import read_model, write_model
from gradatim.ngram.table import LOG_ZERO, Entries, NgramTable
from gradatim.text.space import IN_MEMORY, Space
from gradatim.text.vocabulary import START, Vocabulary

RNG = np.random.default_rng(3)
WORDS = [f"w{i}" for i in range(40)]


def sentences(count: int) -> list[str]:
    return [" ".join(WORDS[min(i, 39)] for i in RNG.zipf(1.4, RNG.integers(1, 12)) - 1) for _ in range(count)]


TRAIN, TEST = sentences(800), [*sentences(50), "", "strange w1 w2 w3", "w0"]


def made(
    order: int, method: str = "kneser-ney", prune: tuple[int, ...] = ()
) -> tuple[NgramTable, Vocabulary]:
    built = build(
        [("train", "\n".join(TRAIN).encode())],
        order=order,
        smoothing=named(method),
        prune=prune,
        space=IN_MEMORY,
    )
    return built.table, built.vocabulary


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("method", METHODS)
def test_every_token_as_in_the_table(order: int, method: str) -> None:
    table, vocabulary = made(order, method)
    ids, sizes = vocabulary.sentences(TEST)
    expected = table.log_probs(ids)
    found = NgramModel.of(table, vocabulary).log_probs(ids)
    possible = expected > LOG_ZERO / 2
    np.testing.assert_allclose(found[possible], expected[possible], atol=1e-3)
    assert (found[~possible] < LOG_ZERO / 2).all()
    assert sizes.sum() == len(ids)


def test_a_model_whose_suffixes_were_dropped_is_searched_all_the_same() -> None:
    table, vocabulary = made(3)
    bigrams, trigrams = table.levels[1:]
    # The suffix of the first trigram.
    lost = (int(bigrams.words[trigrams.prefixes[0]]), int(trigrams.words[0]))
    at = np.flatnonzero((bigrams.prefixes == lost[0]) & (bigrams.words == lost[1]))
    if at[0] in trigrams.prefixes:
        keep = trigrams.prefixes != at[0]
        trigrams = type(trigrams)(
            *(getattr(trigrams, name)[keep] for name in ("prefixes", "words", "log_probs", "backoffs"))
        )
    left = np.delete(np.arange(len(bigrams)), at)
    number = np.full(len(bigrams), -1)
    number[left] = np.arange(len(left))
    shorter = type(bigrams)(
        *(getattr(bigrams, name)[left] for name in ("prefixes", "words", "log_probs", "backoffs"))
    )
    longer = type(trigrams)(number[trigrams.prefixes], trigrams.words, trigrams.log_probs, trigrams.backoffs)
    table = NgramTable((table.levels[0], shorter, longer), START, 0.0)
    model = NgramModel.of(table, vocabulary)
    assert not model.levels[1].closed
    ids, _ = vocabulary.sentences([*TRAIN, *TEST])
    np.testing.assert_allclose(model.log_probs(ids), table.log_probs(ids), atol=1e-3)


def test_blocks_on_disk_make_the_same_model() -> None:
    table, vocabulary = made(4)
    whole = NgramModel.of(table, vocabulary)
    with tempfile.TemporaryDirectory() as folder:
        space = Space(Path(folder), block=500)
        lines = "\n".join(TRAIN).encode()
        built = build([("train", lines)], order=4, space=space)
        parts = NgramModel.of(built.table, built.vocabulary, space)
        for one, other in zip(whole.levels, parts.levels, strict=True):
            assert all((one.arrays()[name] == array).all() for name, array in other.arrays().items())
            assert one.closed == other.closed


def test_the_distribution_after_a_context_is_that_of_its_tokens() -> None:
    table, vocabulary = made(4)
    model = NgramModel.of(table, vocabulary)
    for context in ([START], [START, 3], [START, 3, 4, 5, 3], [START, 0, 0]):
        every = model.distribution(context)
        assert np.exp(every.astype(float)).sum() == pytest.approx(1, abs=1e-3)
        for word in (2, 3, 4, 0):
            assert every[word] == pytest.approx(model.log_probs(np.array([*context, word]))[-1], abs=1e-6)


def test_a_file_gives_the_model_back_mapped(tmp_path: Path) -> None:
    table, vocabulary = made(4, prune=(0, 0, 1))
    model = NgramModel.of(table, vocabulary)
    path = tmp_path / "lm.gradatim"
    write_model(path, model, provenance={"order": 4})
    again = read_model(read_artifact(path, mapped=True))
    ids, _ = again.encode(TEST)
    assert (again.log_probs(ids) == model.log_probs(ids)).all()
    assert not again.levels[0].lookup.keys.flags.owndata
    assert again.levels[0].lookup.keys.ctypes.data % 64 == 0
    assert again.sizes == model.sizes
    np.testing.assert_allclose(again.table().log_probs(ids), table.log_probs(ids), atol=1e-3)


@pytest.mark.parametrize("member", ["vocabulary.txt", "1.unigrams", "2.first", "3.log_probs"])
def test_members_that_do_not_fit_are_refused(tmp_path: Path, member: str) -> None:
    from gradatim.engine.artifact import write_artifact

    path = tmp_path / "lm.gradatim"
    write_model(path, NgramModel.of(*made(3)), provenance={})
    whole = read_artifact(path, mapped=True)
    members = {name: bytes(data) for name, data in whole.members.items() if name != "card.md"}
    members[member] = members[member][: len(members[member]) // 16 * 8]
    write_artifact(path, kind=whole.kind, task=whole.task, encoder=whole.encoder, members=members)
    with pytest.raises(ArtifactError, match="lm train"):
        read_model(read_artifact(path, mapped=True))


def test_ngrams_are_found_in_blocks_as_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    table, vocabulary = made(4)
    ids, _ = vocabulary.sentences(TEST)
    whole = table.find(ids)
    for block in (1, 7, 64):
        monkeypatch.setattr(tables, "BLOCK", block)
        for numbers, expected in zip(table.find(ids), whole, strict=True):
            np.testing.assert_array_equal(numbers, expected)
    assert (whole[2] >= 0).any()
    assert (whole[3] < 0).any()


def test_no_order_is_held_in_memory_to_be_searched() -> None:
    size, none = 1 << 21, np.zeros(0)
    every = np.arange(2 * 1024)
    bigrams = Entries(np.repeat(every, 1024), np.tile(np.arange(1024), len(every)), none, none)
    table = NgramTable((Entries(np.zeros_like(every), every, none, none), bigrams), START, 0.0)
    assert len(bigrams) == size
    tracemalloc.start()
    found = table.find(np.array([START, 1023, 5, 2047, 1024]))[1]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.tolist() == [-1, START * 1024 + 1023, 1023 * 1024 + 5, -1, -1]
    assert peak < size * 8 / 2


@pytest.mark.parametrize("method", METHODS)
def test_scores_are_probabilities_of_all_methods_but_one(method: str) -> None:
    model = NgramModel.of(*made(3, method))
    assert model.sums_to_one == named(method).sums_to_one == (method != "stupid")


def test_steps_keep_zero_and_lose_little() -> None:
    values = np.array([-7.5, -3.25, 0.5, LOG_ZERO])
    steps = Steps.of(values, IN_MEMORY)
    found = steps.values()[steps.codes(values)]
    np.testing.assert_allclose(found, values, atol=8 / 131_000)
    assert (steps.low, steps.high) == (-7.5, 0.5)
    nothing = Steps.of(np.zeros(0), IN_MEMORY)
    assert nothing.values()[nothing.codes(np.zeros(2))].tolist() == [0, 0]
