"""Predictions as lines for people, JSON Lines, or the input table with two columns more."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from gradatim.errors import ConfigError
from gradatim.pipelines.classification import Prediction

SUFFIXES = (".csv", ".tsv", ".jsonl")
_BREAKS = re.compile(r"[\t\r\n]+")
LABEL, PROBABILITY, SCORES = "prediction", "probability", "scores"

Answer = tuple[Sequence[Any], Prediction]  # the cells of a row, and what was predicted for it
Writer = Callable[[BinaryIO, Sequence[str], Iterable[Answer]], int]


def line(prediction: Prediction, top_k: int) -> str:
    """`label <tab> probability`, once per label decided on (`-` if none), or for the `top_k` best."""
    if top_k > 1:
        shown = list(prediction.scores.items())[:top_k]
    else:
        shown = [(label, prediction.scores[label]) for label in prediction.labels]
    return "\t".join(f"{label}\t{p:.4f}" for label, p in shown or [("-", prediction.score)])


def record(
    columns: Sequence[str], cells: Sequence[Any], prediction: Prediction, top_k: int
) -> dict[str, Any]:
    """One JSON object: the row, the prediction, and the scores of the `top_k` best labels."""
    several = len(prediction.labels) != 1
    return {
        **dict(zip(columns, cells, strict=True)),
        LABEL: list(prediction.labels) if several else prediction.label,
        PROBABILITY: round(prediction.score, 6),
        SCORES: {label: round(p, 6) for label, p in list(prediction.scores.items())[:top_k]},
    }


def choose_writer(path: Path, top_k: int) -> Writer:
    """The writer for a file's suffix; `ConfigError` for an unknown one."""
    match path.suffix.lower():
        case ".jsonl":
            return lambda handle, columns, answers: _write_json_lines(handle, columns, answers, top_k)
        case ".csv":
            return lambda handle, columns, answers: _write_table(handle, columns, answers, _csv_row)
        case ".tsv":
            return lambda handle, columns, answers: _write_table(handle, columns, answers, _tsv_row)
        case other:
            raise ConfigError(
                f"--output {path}: cannot write {other or 'a file without suffix'}; use {', '.join(SUFFIXES)}"
            )


def _write_json_lines(handle: BinaryIO, columns: Sequence[str], answers: Iterable[Answer], top_k: int) -> int:
    count = 0
    for cells, prediction in answers:
        count += 1
        row = json.dumps(record(columns, cells, prediction, top_k), ensure_ascii=False, default=str)
        handle.write(row.encode("utf-8", "replace") + b"\n")
    return count


def _write_table(
    handle: BinaryIO, columns: Sequence[str], answers: Iterable[Answer], row: Callable[[Sequence[Any]], str]
) -> int:
    kept = [i for i, name in enumerate(columns) if name not in (LABEL, PROBABILITY)]  # ours are made anew
    count = 0
    handle.write(row([*(columns[i] for i in kept), LABEL, PROBABILITY]).encode("utf-8", "replace"))
    for cells, prediction in answers:
        count += 1
        ours = ["|".join(prediction.labels), f"{prediction.score:.6f}"]
        handle.write(row([*(cells[i] for i in kept), *ours]).encode("utf-8", "replace"))
    return count


def _csv_row(cells: Sequence[Any]) -> str:
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator="\n").writerow(cells)
    return stream.getvalue()


def _tsv_row(cells: Sequence[Any]) -> str:
    """TSV knows no quotes: what would break a row becomes a space."""
    return "\t".join(_BREAKS.sub(" ", "" if cell is None else str(cell)) for cell in cells) + "\n"
