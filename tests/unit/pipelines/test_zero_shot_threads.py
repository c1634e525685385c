"""Zero-shot classification by likeness, while another thread asks the same pipeline about other labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradatim.pipelines.reader import Reader
from gradatim.pipelines.zero_shot import ZeroShotClassification
from gradatim.text.pieces import PieceEncoder
from gradatim.types import Arrays

MINE, THEIRS = ["good", "bad"], ["film", "very", "not"]


class States:
    """A fixed direction for each token."""

    def run(self, arrays: Arrays) -> Arrays:
        known = np.random.default_rng(0).normal(size=(80, 6)).astype(np.float32)
        return {"states": known[arrays["ids"]]}


class Interrupted(ZeroShotClassification):
    """What it has read last is of other labels from the second time on that a call looks at it."""

    theirs: Any = None
    looks = 0

    @property
    def _read(self) -> Any:
        self.looks += 1
        return self.kept if self.theirs is None or self.looks == 1 else self.theirs

    @_read.setter
    def _read(self, value: Any) -> None:
        self.kept = value


def test_answers_are_of_the_labels_that_were_asked(tokenizer_json: str) -> None:
    pieces = PieceEncoder(tokenizer_json, max_length=16)
    reader = Reader(kind="body", session=States(), encoder=pieces, tokenizer=tokenizer_json)
    wanted = ZeroShotClassification(reader)("the good film", MINE)
    ask = Interrupted(reader)
    ask("the good film", THEIRS)
    theirs = ask.kept
    ask("the good film", MINE)
    ask.theirs, ask.looks = theirs, 0
    assert ask("the good film", MINE) == wanted
    ask.kept, ask.looks = None, 0
    assert ask("the good film", MINE) == wanted
