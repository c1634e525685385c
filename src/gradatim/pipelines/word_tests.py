"""What word vectors are judged by: similarity as people see it, and analogies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gradatim.data.textfile import open_text
from gradatim.errors import DataError
from gradatim.pipelines.correlation import spearman
from gradatim.vectors.table import WordVectors

CELLS = 1 << 27  # cosines held at once


@dataclass(frozen=True, slots=True)
class Result:
    """One test: its name, the score of what is covered in percent, None where too little is, and how much of it is."""

    name: str
    score: float | None
    covered: int
    total: int


def similarity(vectors: WordVectors, path: Path) -> Result:
    """Spearman's correlation of cosines with people's scores; a line has two words and a score.

    Pairs with a word that has no vector are left out and counted.
    """
    pairs, scores = [], []
    with open_text(path) as lines:
        for number, line in enumerate(lines, 1):
            cells = line.split()
            if not cells:
                continue
            try:
                one, other, score = cells[0], cells[1], float(cells[2])
                if not np.isfinite(score):
                    raise ValueError
            except (IndexError, ValueError):
                raise DataError(
                    f"{path}, line {number}: two words and a score belong here, not '{line.strip()[:60]}'"
                ) from None
            pairs.append((vectors.row(one), vectors.row(other)))
            scores.append(score)
    known = [i for i, (one, other) in enumerate(pairs) if one is not None and other is not None]
    rows = np.array([pairs[i] for i in known], dtype=np.int64).reshape(-1, 2)
    cosines = np.einsum("ij,ij->i", vectors.unit[rows[:, 0]], vectors.unit[rows[:, 1]])
    found = 100 * spearman(np.array(scores)[known], cosines) if len(known) > 1 else None
    return Result(path.name.partition(".")[0].removeprefix("EN-"), found, len(known), len(pairs))


def analogies(vectors: WordVectors, path: Path, *, limit: int = 300_000) -> list[Result]:
    """ "a is to b as c to d": the share of questions whose d is nearest to b - a + c, by section and over all.

    The three words of a question are no answers (Mikolov et al. 2013). Searched are the first `limit`
    words; questions with a word that has no vector are left out and counted. Sections begin with ": name".
    """
    results, section, questions = [], "", list[Sequence[int | None]]()
    with open_text(path) as lines:
        for number, line in enumerate([*lines, ": "], 1):
            cells = line.split()
            if cells and cells[0] == ":":
                if questions:
                    results.append(_section(vectors, section, questions, limit))
                section, questions = " ".join(cells[1:]), []
            elif len(cells) == 4:
                questions.append([vectors.row(cell) for cell in cells])
            elif cells:
                raise DataError(f"{path}, line {number}: four words belong here, not '{line.strip()[:60]}'")
    if not results:
        raise DataError(f"{path} holds no questions")
    every = [(round((r.score or 0) * r.covered), r.covered, r.total) for r in results]
    right, covered, total = map(sum, zip(*every, strict=True))
    return [*results, Result("all", right / covered if covered else None, covered, total)]


def _section(
    vectors: WordVectors, name: str, questions: Sequence[Sequence[int | None]], limit: int
) -> Result:
    known = [row for row in questions if all(word is not None and word < limit for word in row)]
    asked = np.array(known, dtype=np.int64).reshape(-1, 4)
    unit, right = vectors.unit, 0
    step = max(1, CELLS // min(limit, len(vectors)))
    for start in range(0, len(asked), step):
        a, b, c, d = asked[start : start + step].T
        cosines = (unit[b] - unit[a] + unit[c]) @ unit[:limit].T
        rows = np.arange(len(a))
        for word in (a, b, c):
            cosines[rows, word] = -np.inf
        right += int((cosines.argmax(1) == d).sum())
    return Result(name, 100 * right / len(asked) if len(asked) else None, len(asked), len(questions))
