"""Pieces drawn anew: a function of its keys, the same words, in the proportions that were asked for."""

from __future__ import annotations

import numpy as np
import pytest

from gradatim.errors import ConfigError
from gradatim.models.inputs import PackedTexts
from gradatim.objectives.redrawn import Redrawn
from gradatim.objectives.seq2seq import SequenceToSequence
from gradatim.text.lattice import Lattice
from gradatim.text.pieces import PieceEncoder
from gradatim.text.tokenizer import preset, train_tokenizer

TEXTS = ["the cat sat on the mat", "a cat and a hat, all that ☃", "", "the hats of cats that sat", "that hat"]


@pytest.fixture(scope="module")
def tokenizer() -> str:
    return str(train_tokenizer(TEXTS * 4, preset("marian"), 60).to_str())


def packed(tokenizer: str, texts: list[str]) -> PackedTexts:
    return PackedTexts(PieceEncoder(tokenizer, max_length=64).encode(texts))


def split(ids: np.ndarray, lengths: np.ndarray) -> list[list[int]]:
    return [part.tolist() for part in np.split(ids, np.cumsum(lengths)[:-1])]


def test_words_stay_the_same_and_pieces_change(tokenizer: str) -> None:
    lattice, texts = Lattice(tokenizer), packed(tokenizer, TEXTS)
    decode = PieceEncoder(tokenizer, max_length=64).tokenizer.decode
    redrawn = Redrawn(texts, lattice, power=0.3, longest=64)
    rows = np.array([3, 0, 2, 1])
    plain = split(texts.ids, texts.sizes)
    seen = set()
    for seed in range(20):
        ids, lengths = redrawn.draw(rows, seed)
        drawn = split(ids, lengths)
        assert [decode(row) for row in drawn] == [decode(plain[row]) for row in rows]
        assert [row[-1] for row in drawn] == [plain[row][-1] for row in rows]  # the end token
        seen.add(tuple(drawn[0]))
    assert len(seen) > 5


def test_a_draw_depends_on_its_keys_alone(tokenizer: str) -> None:
    redrawn = Redrawn(packed(tokenizer, TEXTS), Lattice(tokenizer), power=0.3, longest=64)
    together = split(*redrawn.draw(np.array([0, 1, 3]), 7, 1))
    assert together == [split(*redrawn.draw(np.array([row]), 7, 1))[0] for row in (0, 1, 3)]
    assert together != split(*redrawn.draw(np.array([0, 1, 3]), 8, 1))
    assert together != split(*redrawn.draw(np.array([0, 1, 3]), 7, 0))


def test_divisions_come_as_often_as_their_probability_says(tokenizer: str) -> None:
    lattice, power = Lattice(tokenizer), 0.5
    texts = packed(tokenizer, ["that"] * 4000)
    word = tuple(texts.ids[: texts.sizes[0] - 1].tolist())
    wanted = {
        division.ids: np.exp(power * division.log_probability) for division in lattice.divisions(word, 16)
    }
    drawn = split(*Redrawn(texts, lattice, power=power, longest=64).draw(np.arange(4000), 0))
    for ids, weight in wanted.items():
        share = weight / sum(wanted.values())
        assert np.mean([tuple(row[:-1]) == ids for row in drawn]) == pytest.approx(share, abs=0.03)


def test_a_row_without_room_keeps_its_pieces(tokenizer: str) -> None:
    texts = packed(tokenizer, TEXTS)
    longest = int(texts.sizes.max())
    redrawn = Redrawn(texts, Lattice(tokenizer), power=0.01, longest=longest)
    rows = np.arange(len(TEXTS))
    _, lengths = redrawn.draw(rows, 0)
    assert (lengths <= longest).all()
    assert (lengths > texts.sizes).any()


def test_a_power_above_nothing_is_asked_for(tokenizer: str) -> None:
    with pytest.raises(ConfigError, match="above 0"):
        Redrawn(packed(tokenizer, TEXTS), Lattice(tokenizer), power=0.0, longest=64)


def test_sources_and_targets_of_a_batch_are_redrawn(tokenizer: str) -> None:
    texts, lattice = packed(tokenizer, TEXTS), Lattice(tokenizer)
    redrawn = Redrawn(texts, lattice, power=0.3, longest=64)
    objective = SequenceToSequence(texts, texts, start_id=2, redrawn=(redrawn, redrawn))
    rows = np.array([1, 0])
    batch = objective.collate(rows, seed=5)
    source, target = (redrawn.draw(rows, 5, side)[0].tolist() for side in (0, 1))
    assert batch.inputs.ids.tolist() == source != target
    assert batch.targets["target"].tolist() == target
