"""Questions about tables, from a recipe to answers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gradatim import pipeline
from gradatim.data.grids import TableQuestion
from gradatim.train.build import Materials
from gradatim.train.job import run
from gradatim.train.kinds.tables import target_of
from gradatim.train.recipe_file import read_recipe
from gradatim.types import Grid

pytest.importorskip("datasets")
RECIPE = """
[model]
preset = "bert"
num_layers = 1
width = 16
num_heads = 2
ffn_width = 32
dropout = 0.0
[data]
source = "asked.tsv"
tokenizer = "tokenizer.json"
max_length = 24
dev_share = 0.25
[objective]
kind = "table"
temperature = 0.5
[train]
epochs = 8
batch_size = 8
rate = 2e-2
precision = "fp32"
log_every = 100
"""
GRID = Grid(("year", "winner", "games"), (("1998", "Ann", "2"), ("1999", "Bob", "3"), ("2000", "Ann", "5")))


@pytest.mark.parametrize(
    ("question", "answers", "cells", "number"),
    [
        ("who was the winner in 1999?", ("Bob",), [(1, 1)], None),
        ("who was the winner in 2000?", ("Ann",), [(2, 1)], None),  # of two Anns that of the year
        ("how many games in 2000?", ("5",), [(2, 2)], 5.0),
        ("in which years did ann win?", ("1998", "2000"), [(0, 0), (2, 0)], None),
        ("how many games in all?", ("10",), [], 10.0),
    ],
)
def test_what_an_answer_tells_of_cells(
    question: str, answers: tuple[str, ...], cells: list[tuple[int, int]], number: float | None
) -> None:
    target = target_of(TableQuestion(question, GRID, answers))
    assert target is not None
    assert [tuple(cell) for cell in np.argwhere(target.cells).tolist()] == cells
    assert np.isnan(target.answer) if number is None else target.answer == number
    assert target.values[:, 2].tolist() == [2.0, 3.0, 5.0]


def test_an_answer_that_is_neither_cells_nor_a_number_teaches_nothing() -> None:
    assert target_of(TableQuestion("who?", GRID, ("Carl",))) is None


def test_longer_tables_than_a_recipe_allows_are_not_learned_from(
    tmp_path: Path, tokenizer_json: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["utterance\tcontext\ttargetValue"]
    for number in range(12):
        rows = 1 if number % 2 else 20
        (tmp_path / f"{number}.csv").write_text("good,bad\n" + f"film,{number}\n" * rows)
        lines.append(f"the film\t{number}.csv\tfilm")
    (tmp_path / "asked.tsv").write_text("\n".join(lines) + "\n")
    (tmp_path / "tokenizer.json").write_text(tokenizer_json)
    (tmp_path / "recipe.toml").write_text(RECIPE)
    monkeypatch.chdir(tmp_path)

    def learned_from(windows: int) -> int:
        found = read_recipe(tmp_path / "recipe.toml", [f"objective.max_windows={windows}"])
        prepared = found.objective.prepare(Materials(found.model, found.data, found.train))
        return len(prepared.objective.sizes)

    assert learned_from(0) > learned_from(1) > 0
    assert learned_from(0) == learned_from(100)


def test_a_tiny_model_learns_by_its_name_which_column_to_read(
    tmp_path: Path, tokenizer_json: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw, lines = np.random.default_rng(0), ["utterance\tcontext\ttargetValue"]
    for number in range(48):
        cells = draw.permutation(list("abcdefgh"))[:2].tolist()
        names = ["good", "bad"][:: 1 if number % 2 else -1]
        (tmp_path / f"{number}.csv").write_text(f"{','.join(names)}\n{','.join(cells)}\n")
        lines.append(f"the film\t{number}.csv\t{cells[names.index('good')]}")
    (tmp_path / "asked.tsv").write_text("\n".join(lines) + "\n")
    (tmp_path / "tokenizer.json").write_text(tokenizer_json)
    (tmp_path / "recipe.toml").write_text(RECIPE)
    monkeypatch.chdir(tmp_path)
    run(read_recipe(tmp_path / "recipe.toml"), tmp_path / "run")
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["accuracy"] > 0.9
    ask = pipeline("table-question-answering", model=tmp_path / "run" / "model")
    answer = ask({"bad": ["a"], "good": ["b"]}, "the film")
    assert answer == {"answer": "b", "coordinates": [(0, 1)], "cells": ["b"], "aggregator": "NONE"}
