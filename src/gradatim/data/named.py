"""Data sets with a row in `catalog.toml` or `benchmarks.toml`: which files a name stands for and how they read."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

from gradatim.data.tables import Table, delimited_table, open_table, stamp_of, text_table
from gradatim.data.textfile import open_text
from gradatim.errors import DataError


@dataclass(frozen=True, slots=True)
class NamedSet:
    """A benchmark set: its file of every split, relative to `GRADATIM_DATA`, and how they read."""

    files: Mapping[str, str]
    table: Mapping[str, Any]
    citation: str
    licence: str = "not stated"


def rows_of(file: str) -> dict[str, dict[str, Any]]:
    """The rows of a TOML file of this package."""
    return tomllib.loads((package_files("gradatim.data") / file).read_text(encoding="utf-8"))


NAMED = {name: NamedSet(**row) for name, row in rows_of("benchmarks.toml").items()}
_ALIASES = {"glue/mrpc": "mrpc", "glue/rte": "rte", "glue/cola": "cola", "glue/sst2": "glue/SST-2",
            "glue/sts-b": "stsb"}  # fmt: skip
_KEYS = {key.casefold(): key for key in NAMED} | _ALIASES


def data_root() -> Path | None:
    """The folder `GRADATIM_DATA`, if it is set."""
    named = os.environ.get("GRADATIM_DATA")
    return Path(named).expanduser() if named else None


def named_key(name: str) -> str | None:
    """The key in `NAMED` of a name in any case, or an alias of it; None if there is none."""
    return _KEYS.get(name.casefold())


def named_tables(folder: Path, files: Mapping[str, str], how: Mapping[str, Any]) -> dict[str, Table]:
    """The table of every split; `how` is the `table` of a row. Raises DataError when a file is not there."""
    roles = {role: how[role] for role in ("text", "text_pair", "label") if role in how}
    names = how.get("names", {})
    if not isinstance(names, Mapping):
        names = {str(i): name for i, name in enumerate(names)}
    tables = {}
    for split, file in files.items():
        if not (folder / file).is_file():
            raise DataError(
                f"no such file: {folder / file}; GRADATIM_DATA must point at the folder with the benchmark data"
            )
        table = replace(_read(folder / file, split, how), roles=roles, names={roles.get("label", ""): names})
        tables[split] = _polarised(table, how["neutral_below"]) if "neutral_below" in how else table
    return tables


def polarity(score: str, neutral_below: float) -> str | None:
    """A sentiment score as "negative" or "positive", None when nearer to zero than allowed."""
    if abs(float(score)) < neutral_below:
        return None
    return "positive" if float(score) > 0 else "negative"


def _polarised(table: Table, neutral_below: float) -> Table:
    at = table.columns.index(table.roles["label"])

    def labelled(cells: list[str]) -> list[str | None]:
        return [*cells[:at], polarity(cells[at], neutral_below), *cells[at + 1 :]]

    return replace(table.mapped(labelled), unlabelled=f"with |score| < {neutral_below} (neutral)")


def _read(path: Path, split: str, how: Mapping[str, Any]) -> Table:
    match how.get("format"):
        case "tsv":
            return delimited_table(path, "\t", quoted=False, columns=tuple(how.get("columns", ())))
        case "label first":
            lines = text_table(path, how.get("encoding", "utf-8"))
            return lines.mapped(lambda cells: cells[0].partition(" ")[::-2], "text", "label")
        case "ag_news" if split == "train":  # a sample, in another format than the official test file
            return delimited_table(path, ",", columns=("text", "label"))
        case "ag_news":
            table = delimited_table(path, ",", columns=("class", "title", "description"))
            return table.mapped(lambda row: (f"{row[1]} {row[2]}", str(int(row[0]) - 1)), "text", "label")
        case "clinc150":  # one JSON file with every split, in-scope and out-of-scope apart
            with open_text(path) as stream:
                content = json.load(stream)
            key = "val" if split == "dev" else split
            rows = list(enumerate(content[key] + content[f"oos_{key}"], 1))
            return Table(
                f"{path} ({key})", ("text", "label"), lambda: iter(rows), stamp_of(path),
                identity=f"{path.resolve()} ({key})",
            )  # fmt: skip
        case "qmsum":  # a question and then the whole meeting, which may have ten thousand words
            with open_text(path) as stream:
                asked = list(enumerate((row for line in stream for row in _asked(json.loads(line))), 1))
            return Table(
                str(path), ("text", "answer"), lambda: iter(asked), stamp_of(path),
                identity=str(path.resolve()),
            )  # fmt: skip
        case _:
            return open_table(path)


def _asked(meeting: Mapping[str, Any]) -> Iterator[list[str]]:
    """The questions about a meeting, each with its transcript, and their answers."""
    said = "\n".join(f"{turn['speaker']}: {turn['content']}" for turn in meeting["meeting_transcripts"])
    for question in (*meeting["general_query_list"], *meeting["specific_query_list"]):
        yield [f"{question['query']}\n{said}", question["answer"]]
