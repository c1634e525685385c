"""The [data] of a recipe file: where texts come from, and how they are read."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gradatim.data import load_texts
from gradatim.data.textfile import decompressed, open_text
from gradatim.errors import ConfigError, DataError
from gradatim.models.inputs import PackedTexts
from gradatim.types import Encoded

MARK = r"(?:(?<=[.!?])|(?<=[.!?][\"')\]”’]))"
SENTENCE_END = re.compile(MARK + r"\s+|\s*(?:<br\s*/?>\s*)+|\n\s*\n")  # reviews have line breaks of HTML
CHUNK = 1000  # documents tokenised together: what a tokeniser returns is ten times the size of its ids


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSettings:
    """[data]: where texts come from and how they are read; names of files may hold ~ and variables such as $HOME.

    source      a file, folder, catalog name, `GRADATIM_DATA` name or hub id, as for `gradatim fit`; for
                language modelling one or several, and patterns: a text file is one document, a row of a table too
    tokenizer   a tokenizer.json, its folder, or a model's name; that of `from` unless given
    max_length  longest row in tokens; longer texts become several
    dev         what to evaluate on, where the source does not say it
    test        what to measure on once, at the end
    dev_share   share of documents held out for evaluation, where there is no dev (unless given 0.01, of labelled
                texts 0.1); questions on one context, article or table stay together, as do pairs of one source
    lines       each line of a text file is a document of its own
    sentences   each sentence of a document is one

    Not all kinds of [objective] read all of these: see `kinds.DATA`.
    """

    source: str | list[str]
    text: str | None = None
    text_pair: str | None = None
    label: str | None = None
    dev: str | None = None
    test: str | None = None
    tokenizer: str | None = None
    max_length: int = 256
    dev_share: float | None = None
    lines: bool = False
    sentences: bool = False

    def __post_init__(self) -> None:
        for name in ("source", "dev", "test", "tokenizer"):
            object.__setattr__(self, name, _expanded(getattr(self, name)))
        if not 0 <= self.share() < 1:
            raise ConfigError(f"dev_share is a share in [0, 1), not {self.dev_share}")
        if self.max_length < 1:
            raise ConfigError(f"max_length must be at least 1 token, not {self.max_length}")

    def share(self, usual: float = 0.01) -> float:
        """What to hold out where there is no dev."""
        return usual if self.dev_share is None else self.dev_share


def expand_sources(source: str | list[str]) -> list[str]:
    """Sources with patterns written out."""
    found: list[str] = []
    for name in [source] if isinstance(source, str) else source:
        pattern = glob.has_magic(name) and not os.path.exists(name)
        matches = sorted(glob.glob(name, recursive=True)) if pattern else [name]
        if not matches:
            raise DataError(f"[data] source: no file matches {name}")
        found += matches
    return found


def read_documents(source: str, data: DataSettings) -> list[str]:
    """The documents of a source, whole or by sentences: a text file, or each of its lines, or each row of a table."""
    path = Path(source)
    if path.is_file() and decompressed(path).suffix.lower() == ".txt":
        with open_text(path) as stream:
            found = [line for line in stream if line.strip()] if data.lines else [stream.read()]
    else:
        found = load_texts(source, text=data.text)[0]
    return [part for text in found for part in split_sentences(text)] if data.sentences else found


def split_sentences(text: str) -> list[str]:
    """The sentences of a text, by their marks, line breaks of HTML, and empty lines."""
    return [part for part in SENTENCE_END.split(text) if part.strip()]


def packed(encode: Callable[[list[str]], Encoded], texts: list[str]) -> PackedTexts:
    """Flat ids and the lengths of rows, each a text of its own; raises DataError if there is none."""
    if not texts:
        raise DataError("[data] source holds no text")
    parts = [encode(texts[start : start + CHUNK]).arrays for start in range(0, len(texts), CHUNK)]
    ids, lengths = (np.concatenate([part[name] for part in parts]) for name in ("ids", "lengths"))
    rows = np.arange(len(lengths))
    return PackedTexts(Encoded({"ids": ids.astype(np.int32), "lengths": lengths}, rows, len(rows)))


def _expanded(named: Any) -> Any:
    """A file's name, or several, with variables and the home folder written out."""
    if isinstance(named, list):
        return [_expanded(name) for name in named]
    return named and os.path.expanduser(os.path.expandvars(named))
