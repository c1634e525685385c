"""kind = "table": the answer to a question is cells of a table, or what they add up to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import cast

import numpy as np
from torch import nn

from gradatim.checkpoint.config import ModelConfig
from gradatim.data.asked import ASKED
from gradatim.data.grids import TableQuestion
from gradatim.errors import ConfigError
from gradatim.models.backbone import BackboneConfig
from gradatim.models.classifier import GridReader
from gradatim.models.inputs import PackedTexts
from gradatim.models.session import TorchSession
from gradatim.objectives.tables import PUBLISHED, Target, Weak, WeakTables
from gradatim.pipelines.asked import encode_asked, judge_asked
from gradatim.pipelines.denotation import (
    AGGREGATIONS,
    NONE,
    Value,
    cell_numbers,
    said_value,
    wanted_value,
)
from gradatim.text.grids import CELL, SIZES, GridConfig, GridEncoder
from gradatim.text.pieces import PieceEncoder
from gradatim.train.build import Materials, Prepared
from gradatim.train.kinds.posed import Posed, posed
from gradatim.train.kinds.reading import annotated, split
from gradatim.types import MARKS, Encoded, Grid
from gradatim.wording import count

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSettings:
    """kind = "table": cells and an aggregation, learned from answers alone, judged by denotation accuracy on dev.

    temperature  logits of cells are divided by it
    preference, delta, cutoff, importance, among  of the loss, the first four as published, see `objectives.tables.Weak`
    likely       cells likelier than this are the answer, where it is cells, see `text.grids.GridConfig`
    restart      whether a model that has read no tables before counts places anew in every cell, as TAPAS does; else a
                 table is to it a text that goes on
    posed        questions made up about the tables, to be learned beside the annotated ones, see `posed`
    max_windows  tables that are read in more windows are not learned from (0: all are)
    test         whether to measure on the test split too, once, at the end
    """

    temperature: float = 0.0352513
    preference: float = PUBLISHED.preference
    delta: float = PUBLISHED.delta
    cutoff: float = PUBLISHED.cutoff
    importance: float = PUBLISHED.importance
    among: float = 1.0
    likely: float = 0.5
    restart: bool = True
    posed: int = 0
    max_windows: int = 0
    test: bool = False

    def prepare(self, materials: Materials) -> Prepared:
        train, dev, note = annotated(materials, ASKED)
        test = split(materials, ASKED, "test") if self.test else []
        if self.test and not test:
            raise ConfigError("[objective] test: the data has no test split")
        grid = GridConfig(temperature=self.temperature, plain=0, some=True, rows=True, likely=self.likely)
        pieces = PieceEncoder(materials.tokenizer_json, max_length=materials.data.max_length)
        body = self._body(materials.transformer)
        encoder = GridEncoder(pieces, body.embedding.marks, grid)
        found = [(question, target_of(question)) for question in train]
        known = [(question, target) for question, target in found if target is not None]
        inputs, learned = encode_asked(encoder, [question for question, _ in known], self.max_windows)
        targets = {id(question): target for question, target in known}
        made_up = posed(
            list({id(one.grid): one.grid for one in learned}.values()), self.posed, materials.recipe.seed
        )
        if made_up:
            targets |= {id(one.question): _target(one) for one in made_up}
            more, also = encode_asked(encoder, [one.question for one in made_up])
            inputs, learned = Encoded.together([inputs, more]), [*learned, *also]
        held, judged = encode_asked(encoder, dev)
        model = _model(materials, body, grid)
        objective = WeakTables(
            PackedTexts(inputs),
            [targets[id(question)] for question in learned],
            Weak(self.preference, self.delta, self.cutoff, self.importance, self.among),
        )
        notes = [
            note,
            f"{count(len(train) - len(known), 'question')} left out: answers neither in a column nor numbers",
        ]
        if left := len(known) + len(made_up) - len(learned):
            notes.append(
                f"{count(left, 'question')} left out: tables of more than {self.max_windows} windows"
            )
        notes += (
            [f"{count(inputs.cut + held.cut, 'token')} of cells too long left out"]
            if inputs.cut + held.cut
            else []
        )

        def metrics(encoded: Encoded, questions: Sequence[TableQuestion]) -> Mapping[str, float]:
            return denotation_accuracy(model, encoded, questions, bf16=materials.recipe.bf16())

        made = Prepared(
            model, ModelConfig.of(model, labels=AGGREGATIONS), objective, None, materials.tokenizer_json, tuple(notes),
            test=(lambda: metrics(*encode_asked(encoder, test))) if test else None,
        )  # fmt: skip
        return made.judged(lambda: metrics(held, judged), "accuracy")

    def _body(self, body: BackboneConfig) -> BackboneConfig:
        """The body with marks of tables, its own if it has them."""
        if body.embedding.marks.keys() >= {*MARKS}:
            return body
        restart = CELL if self.restart else 0
        return replace(body, embedding=replace(body.embedding, marks=SIZES, restart=restart))


def _model(materials: Materials, body: BackboneConfig, grid: GridConfig) -> GridReader:
    """The logits of its cells begin at zero."""
    config = ModelConfig(kind="table", body=body, num_outputs=len(AGGREGATIONS), grid=grid)
    model = cast(GridReader, materials.build(config))
    nn.init.zeros_(model.head.linear.weight)
    nn.init.zeros_(model.head.linear.bias)
    return model


def denotation_accuracy(
    model: GridReader, encoded: Encoded, questions: Sequence[TableQuestion], *, bf16: bool
) -> dict[str, float]:
    """The share of questions whose answer is right, and of those that are answered by an aggregation."""
    said = TorchSession(model, bf16=bf16).run(encoded.arrays)
    right, aggregated = judge_asked(said, encoded, questions, model.config)
    return {"accuracy": right / len(questions), "aggregated": aggregated / len(questions)}


def target_of(question: TableQuestion) -> Target | None:
    """The cells that hold the answer, if those of one column do, and the answer as a number, if it is one.

    None if it is neither. Of several columns, and of several cells with the same value, those count whose row and name
    share most words with the question.
    """
    grid, wanted = question.grid, [wanted_value(answer) for answer in question.answers]
    number = wanted[0].number if len(wanted) == 1 else None
    asked = _words(question.question)
    cells = np.zeros((len(grid.rows), len(grid.columns)), dtype=bool)
    best = max((_held(grid, at, wanted, asked) for at in range(len(grid.columns))), key=lambda one: one[0])
    for row, column in best[1]:
        cells[row, column] = True
    if not best[1] and number is None:
        return None
    return Target(cells, cell_numbers(grid), np.nan if number is None else number)


def _target(made_up: Posed) -> Target:
    """What is known of the answer to a question that was made up: its cells, or the number that they come to."""
    grid, (answer, *_) = made_up.question.grid, made_up.question.answers
    cells, plain = np.zeros((len(grid.rows), len(grid.columns)), dtype=bool), made_up.aggregation == NONE
    if plain:
        cells[tuple(zip(*made_up.cells, strict=True))] = True
    return Target(cells, cell_numbers(grid), np.nan if plain else float(answer))


def _held(
    grid: Grid, column: int, wanted: Sequence[Value], asked: frozenset[str]
) -> tuple[float, list[tuple[int, int]]]:
    """The cells of a column that hold the values, and how well they fit the question; none, if it lacks one."""
    said = [row[column] for row in _values(grid)]
    fit = float(len(asked & _words(grid.columns[column])))
    cells = []
    for value in wanted:
        rows = [row for row, one in enumerate(said) if value.matches(one)]
        if not rows:
            return -1.0, []
        shared = {row: len(asked & _words(" ".join(grid.rows[row]))) for row in rows}
        best = max(rows, key=lambda row: shared[row])
        cells.append((best, column))
        fit += shared[best] / len(wanted)
    return fit, cells


@cache
def _values(grid: Grid) -> list[list[Value]]:
    return [[said_value(cell) for cell in row] for row in grid.rows]


@cache
def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.lower()))
