"""Predictions as lines for people, JSON Lines, or the input table with more columns."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from gradatim.errors import ConfigError
from gradatim.pipelines.classification import Prediction
from gradatim.pipelines.tagging import Entity

SUFFIXES = (".csv", ".tsv", ".jsonl")
_BREAKS = re.compile(r"[\t\r\n]+")
LABEL, PROBABILITY, SCORES, ENTITIES = "prediction", "probability", "scores", "entities"
ANSWER, START, END, CHOICE, INDEX = "answer", "start", "end", "choice", "index"

Answer = tuple[Sequence[Any], Any]  # the cells of a row, and what was predicted for it
Writer = Callable[[BinaryIO, Sequence[str], Iterable[Answer]], int]


class Form(Protocol):
    """How one kind of answer is told: as lines, as fields of a JSON object, and as cells of `columns`."""

    @property
    def columns(self) -> Sequence[str]: ...

    def lines(self, answer: Any) -> str: ...

    def fields(self, answer: Any) -> dict[str, Any]: ...

    def cells(self, answer: Any) -> list[str]: ...


class Labels:
    """A label with its probability, or the `top_k` best."""

    columns = (LABEL, PROBABILITY)

    def __init__(self, top_k: int) -> None:
        self.top_k = top_k

    def lines(self, answer: Prediction) -> str:
        """`label <tab> probability`, once per label decided on (`-` if none), or for the `top_k` best."""
        if self.top_k > 1:
            shown = list(answer.scores.items())[: self.top_k]
        else:
            shown = [(label, answer.scores[label]) for label in answer.labels]
        return "\t".join(f"{label}\t{p:.4f}" for label, p in shown or [("-", answer.score)])

    def fields(self, answer: Prediction) -> dict[str, Any]:
        several = len(answer.labels) != 1
        return {
            LABEL: list(answer.labels) if several else answer.label,
            PROBABILITY: round(answer.score, 6),
            SCORES: {label: round(p, 6) for label, p in list(answer.scores.items())[: self.top_k]},
        }

    def cells(self, answer: Prediction) -> list[str]:
        return ["|".join(answer.labels), f"{answer.score:.6f}"]


class Entities:
    """The entities of a text with their places in it."""

    columns = (ENTITIES,)

    def lines(self, answer: Sequence[Entity]) -> str:
        """`label <tab> start <tab> end <tab> probability <tab> text` a line (`-` if none), an empty line after all."""
        told = [f"{e.label}\t{e.start}\t{e.end}\t{e.score:.4f}\t{_BREAKS.sub(' ', e.text)}\n" for e in answer]
        return "".join(told or ["-\n"])

    def fields(self, answer: Sequence[Entity]) -> dict[str, Any]:
        return {ENTITIES: [{**asdict(entity), "score": round(entity.score, 6)} for entity in answer]}

    def cells(self, answer: Sequence[Entity]) -> list[str]:
        return [json.dumps(self.fields(answer)[ENTITIES], ensure_ascii=False)]


class Answered:
    """An answer with its place in the context, or its number among the choices."""

    def __init__(self, *places: str) -> None:
        self.columns = (LABEL, PROBABILITY, *places)

    def lines(self, answer: Mapping[str, Any]) -> str:
        """`answer <tab> probability <tab> start <tab> end`, of choices `number` (`-` for no answer)."""
        text, score, *places = self._values(answer)
        return "\t".join((_BREAKS.sub(" ", text) or "-", f"{score:.4f}", *map(str, places)))

    def fields(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        return dict(zip(self.columns, self._values(answer), strict=True))

    def cells(self, answer: Mapping[str, Any]) -> list[str]:
        return list(map(str, self._values(answer)))

    def _values(self, answer: Mapping[str, Any]) -> tuple[Any, ...]:
        text, places = answer.get(ANSWER, answer.get(CHOICE)), self.columns[2:]
        return text, round(answer["score"], 6), *(answer[place] for place in places)


def record(columns: Sequence[str], cells: Sequence[Any], answer: Any, form: Form) -> str:
    """One JSON object: the row and the prediction."""
    row = {**dict(zip(columns, cells, strict=True)), **form.fields(answer)}
    return json.dumps(row, ensure_ascii=False, default=str)


def choose_writer(path: Path, form: Form) -> Writer:
    """The writer for a file's suffix; `ConfigError` for an unknown one."""
    match path.suffix.lower():
        case ".jsonl":
            return lambda handle, columns, answers: _write_json_lines(handle, columns, answers, form)
        case ".csv":
            return lambda handle, columns, answers: _write_table(handle, columns, answers, form, _csv_row)
        case ".tsv":
            return lambda handle, columns, answers: _write_table(handle, columns, answers, form, _tsv_row)
        case other:
            raise ConfigError(
                f"--output {path}: cannot write {other or 'a file without suffix'}; use {', '.join(SUFFIXES)}"
            )


def _write_json_lines(handle: BinaryIO, columns: Sequence[str], answers: Iterable[Answer], form: Form) -> int:
    count = 0
    for cells, answer in answers:
        count += 1
        handle.write(record(columns, cells, answer, form).encode("utf-8", "replace") + b"\n")
    return count


def _write_table(
    handle: BinaryIO,
    columns: Sequence[str],
    answers: Iterable[Answer],
    form: Form,
    row: Callable[[Sequence[Any]], str],
) -> int:
    kept = [i for i, name in enumerate(columns) if name not in form.columns]  # ours are made anew
    count = 0
    handle.write(row([*(columns[i] for i in kept), *form.columns]).encode("utf-8", "replace"))
    for cells, answer in answers:
        count += 1
        handle.write(row([*(cells[i] for i in kept), *form.cells(answer)]).encode("utf-8", "replace"))
    return count


def _csv_row(cells: Sequence[Any]) -> str:
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator="\n").writerow(cells)
    return stream.getvalue()


def _tsv_row(cells: Sequence[Any]) -> str:
    """TSV knows no quotes: what would break a row becomes a space."""
    return "\t".join(_BREAKS.sub(" ", "" if cell is None else str(cell)) for cell in cells) + "\n"
