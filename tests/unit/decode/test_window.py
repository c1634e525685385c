"""Rows longer than a model can read: what each token is chosen after, alone and in company."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradatim.decode.search import Search
from gradatim.decode.window import Windowed
from gradatim.decode.write import write
from gradatim.types import Array, Arrays, Candidates

VOCABULARY, END = 9, 0
rows_of = st.lists(st.lists(st.integers(1, VOCABULARY - 1), min_size=1, max_size=20), min_size=1, max_size=4)


def scores(read: list[int]) -> Array:
    return np.random.default_rng(read).normal(size=VOCABULARY)


@dataclass
class Read:
    rows: list[list[int]]

    def reorder(self, rows: Array) -> Read:
        return Read([self.rows[row] for row in rows])


class Narrow:
    """Every token depends on all that were read, which are at most `longest`."""

    vocab_size = VOCABULARY

    def __init__(self, longest: int) -> None:
        self.longest = longest
        self.read = 0  # tokens

    def begin(self, batch: Arrays, count: int) -> tuple[Candidates, Read]:
        rows = [row.tolist() for row in np.split(batch["ids"], np.cumsum(batch["lengths"])[:-1])]
        self.read += sum(map(len, rows))
        return self.candidates(Read(rows), count)

    def advance(self, ids: Array, state: Read, count: int) -> tuple[Candidates, Read]:
        self.read += len(ids)
        return self.candidates(
            Read([[*row, int(token)] for row, token in zip(state.rows, ids, strict=True)]), count
        )

    def candidates(self, state: Read, count: int) -> tuple[Candidates, Read]:
        assert all(1 <= len(row) <= self.longest for row in state.rows)
        every = np.stack([scores(row) for row in state.rows])
        ids = np.argsort(-every, axis=1)[:, :count]
        norm = np.logaddexp.reduce(every, axis=1)
        return Candidates(ids, np.take_along_axis(every, ids, axis=1), norm), state


def batch(rows: list[list[int]]) -> Arrays:
    return {"ids": np.concatenate(rows), "lengths": np.array([len(row) for row in rows])}


def expected(row: list[int], longest: int, steps: int) -> list[int]:
    """The last `longest` tokens are read; when so many have been, the last half of them, and so on."""
    read, written = row[-longest:], list[int]()
    while len(written) < steps:
        token = int(scores(read).argmax())
        if token == END:
            break
        written.append(token)
        read = [*read, token] if len(read) < longest else [*read, token][-max(1, longest // 2) :]
    return written


@given(rows_of, st.integers(1, 9))
def test_a_full_window_goes_on_from_its_last_half_whatever_the_company(
    rows: list[list[int]], longest: int
) -> None:
    stepper = Windowed(Narrow(longest), longest)
    found = write(stepper, batch(rows), Search(end=END, max_length=25))
    assert [text.ids.tolist() for [text] in found] == [expected(row, longest, 25) for row in rows]
    for row, together in zip(rows, found, strict=True):
        beams = Search(end=END, max_length=25, beams=3)
        [alone], [among, *_] = (write(stepper, batch(some), beams) for some in ([row], [row, *rows]))
        assert alone[0].ids.tolist() == among[0].ids.tolist()
        assert alone[0].log_prob == pytest.approx(among[0].log_prob)
        assert len(together) == 1


def test_for_each_token_two_are_read_on_average() -> None:
    narrow = Narrow(8)
    search = Search(end=END, max_length=101, banned=(END,))
    write(Windowed(narrow, 8), batch([[1, 2, 3]]), search)
    assert narrow.read <= 3 + 2 * 100
