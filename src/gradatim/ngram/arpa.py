"""ARPA files: back-off models as text, as SRILM, KenLM and most speech recognisers read and write them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise, takewhile
from pathlib import Path

import numpy as np

from gradatim.data.textfile import open_text
from gradatim.engine.atomic import atomic_file
from gradatim.errors import DataError
from gradatim.ngram.table import LOG_ZERO, Entries, Floats, NgramTable
from gradatim.text.hashing import Ints
from gradatim.text.lookup import pair_keys
from gradatim.text.spaced import SpacedWords, hash_words, spaced_words
from gradatim.text.vocabulary import RESERVED, START, Vocabulary
from gradatim.wording import count

LN10 = np.log(10.0)
# log10 p of an unknown word where the file has no <unk>: impossible (KenLM goes on with the number).
NEVER = -100.0
CAPITAL = b"<UNK>"  # what some toolkits write for <unk>
BLOCK = 1 << 16  # lines written together
_MARK = re.compile(rb"^\\(data|[0-9]+-grams:|end)\\?[ \t\r]*$", re.MULTILINE)
_COUNT = re.compile(rb"ngram ([0-9]+) ?= ?([0-9]+)")


def write_arpa(path: Path, table: NgramTable, vocabulary: Vocabulary) -> None:
    """Write the model, whole or not at all; logarithms to seven digits."""
    with atomic_file(path) as file:
        counts = (f"ngram {n}={len(level)}\n" for n, level in enumerate(table.levels, 1))
        file.write(f"\\data\\\n{''.join(counts)}".encode())
        for n in range(1, table.order + 1):
            file.write(f"\n\\{n}-grams:\n".encode())
            for start in range(0, len(table.levels[n - 1]), BLOCK):
                file.write("".join(_lines(table, vocabulary.strings, n, start)).encode())
        file.write(b"\n\\end\\\n")


def _lines(table: NgramTable, words: list[str], n: int, start: int) -> Iterator[str]:
    """Some n-grams of one order, a line each."""
    level = table.levels[n - 1]
    part = slice(start, min(start + BLOCK, len(level)))
    numbers, columns = np.arange(part.start, part.stop), []
    for below in reversed(table.levels[:n]):
        columns.append([words[i] for i in below.words[numbers].tolist()])
        numbers = below.prefixes[numbers]
    spelled = map(" ".join, zip(*reversed(columns), strict=True))
    log_probs, backoffs = ((values[part] / LN10).tolist() for values in (level.log_probs, level.backoffs))
    for p, ngram, weight in zip(log_probs, spelled, backoffs, strict=True):
        yield f"{p:.7g}\t{ngram}\t{weight:.7g}\n" if n < table.order else f"{p:.7g}\t{ngram}\n"


def read_arpa(path: Path) -> tuple[NgramTable, Vocabulary]:
    """Read a model; raises DataError that names the line at fault and what is wrong with it."""
    with open_text(path) as stream:
        data = stream.read().encode()
    marks = list(_MARK.finditer(data))
    names = [mark[1].decode() for mark in marks]
    order = max(1, sum(name.endswith("-grams:") for name in names))
    expected = ["data", *(f"{n}-grams:" for n in range(1, order + 1)), "end"]
    if names != expected:
        raise DataError(
            f"{path} is no ARPA file, or part of it is missing: {_misplaced(data, marks, expected)}; it has the "
            f"sections {', '.join(names) or 'none'}, in place of {', '.join(expected)}"
        )
    sections = [
        _Section(path, data[mark.end() : after.start()], 1 + data.count(b"\n", 0, mark.end()))
        for mark, after in pairwise(marks)
    ]
    reader = _Reader(sections[0].counts(order))
    for section in sections[1:]:
        reader.read(section)
    assert reader.vocabulary is not None
    return NgramTable(tuple(reader.levels), START, 0.0), reader.vocabulary


def _misplaced(data: bytes, marks: list[re.Match[bytes]], expected: list[str]) -> str:
    """The first line, perhaps after the last one, where another section must begin."""
    same = (mark[1].decode() == name for mark, name in zip(marks, expected, strict=False))
    place = sum(takewhile(bool, same))
    line = 1 + data.count(b"\n", 0, marks[place].start() if place < len(marks) else len(data))
    if place == len(expected):
        return f"line {line}: nothing may follow \\end\\"
    name = expected[place]
    return f"line {line}: here \\{name if name.endswith(':') else name + chr(92)} must stand"


class _Section:
    """The lines of one section, cut into fields; `line` is the number of its header."""

    def __init__(self, path: Path, data: bytes, line: int) -> None:
        self.path, self.line = path, line
        self.fields: SpacedWords = spaced_words(data)
        self.first = np.flatnonzero(np.diff(self.fields.lines, prepend=-1))
        self.rows, self.widths = self.fields.lines[self.first], np.diff(self.first, append=len(self.fields))

    def __len__(self) -> int:
        return len(self.rows)

    def fault(self, row: int, what: str) -> DataError:
        """The error of one line."""
        line = self.line + int(self.rows[row])
        return DataError(f"{self.path}, line {line}: {what}: '{self.text(row).decode()}'")

    def text(self, row: int) -> bytes:
        """The fields of one line with single spaces between."""
        return b" ".join(map(self.fields.word, range(self.first[row], self.first[row] + self.widths[row])))

    def counts(self, order: int) -> list[int]:
        """How many n-grams of each order the file says it has."""
        found = [_COUNT.fullmatch(self.text(row)) for row in range(len(self))]
        for row, match in enumerate(found):
            if not match or int(match[1]) != row + 1:
                raise self.fault(row, f"here 'ngram {row + 1}=' and a count must stand")
        if len(found) != order:
            raise DataError(
                f"{self.path}: \\data\\ counts {count(len(found), 'order')}, the file has {order}"
            )
        return [int(match[2]) for match in found if match]

    def numbers(self, column: int, rows: Ints) -> Floats:
        """A field of these rows as natural logarithms; the file has them to base 10."""
        cells = self.fields.column(self.first[rows] + column)
        try:
            values = cells.astype(np.float64)
        except ValueError:
            values = np.array([_number(cell) for cell in cells.tolist()])
        if len(bad := np.flatnonzero(np.isnan(values) | (values == np.inf))):
            raise self.fault(int(rows[bad[0]]), f"field {column + 1} is no number")
        logs: Floats = np.maximum(values * LN10, LOG_ZERO)
        return logs


class _Reader:
    """Takes in one order after the other."""

    def __init__(self, counts: list[int]) -> None:
        self.counts = counts
        self.levels: list[Entries] = []
        self.vocabulary: Vocabulary | None = None

    def read(self, section: _Section) -> None:
        """The n-grams of the next order."""
        n = len(self.levels) + 1
        widest = n + 2 if n < len(self.counts) else n + 1
        if len(bad := np.flatnonzero((section.widths < n + 1) | (section.widths > widest))):
            weight = " and a back-off weight" * (widest > n + 1)
            raise section.fault(
                int(bad[0]), f"log10 of a probability, {count(n, 'word')}{weight} belong here"
            )
        if len(section) != self.counts[n - 1]:
            raise DataError(
                f"{section.path}, line {section.line}: {len(section):,} n-grams follow, "
                f"the beginning of the file says {self.counts[n - 1]:,}"
            )
        rows = np.arange(len(section))
        log_probs, backoffs = section.numbers(0, rows), np.zeros(len(section))
        if len(above := np.flatnonzero(log_probs > 1e-6)):
            raise section.fault(int(above[0]), "log10 of a probability cannot be above 0")
        weighted = np.flatnonzero(section.widths == n + 2)
        backoffs[weighted] = section.numbers(n + 1, weighted)
        if n == 1:
            self._unigrams(section, log_probs, backoffs)
        else:
            self._ngrams(section, n, log_probs, backoffs)

    def _unigrams(self, section: _Section, log_probs: Floats, backoffs: Floats) -> None:
        words = [section.fields.word(i) for i in (section.first + 1).tolist()]
        words = [RESERVED[0] if word == CAPITAL else word for word in words]
        # Where each stands first.
        place = dict(zip(reversed(words), range(len(words) - 1, -1, -1), strict=True))
        if len(place) < len(words):
            twice = next(row for row, word in enumerate(words) if place[word] != row)
            raise section.fault(twice, "the word stands twice")
        if missing := [word.decode() for word in RESERVED[1:] if word not in place]:
            raise DataError(f"{section.path}: the unigrams lack {' and '.join(missing)}")
        if RESERVED[0] not in place:
            place[RESERVED[0]] = len(words)
            log_probs, backoffs = np.append(log_probs, NEVER * LN10), np.append(backoffs, 0.0)
        ordered = [*RESERVED, *(word for word in words if word not in RESERVED)]
        at = np.array([place[word] for word in ordered])
        self.vocabulary = Vocabulary(ordered)
        every = np.arange(len(ordered))
        self.levels.append(Entries(np.zeros_like(every), every, log_probs[at], backoffs[at]))

    def _ngrams(self, section: _Section, n: int, log_probs: Floats, backoffs: Floats) -> None:
        assert self.vocabulary is not None
        known = np.sort(hash_words([*self.vocabulary.words, CAPITAL]))
        numbers = self.vocabulary.numbers(section.fields)
        ids = numbers[section.first[:, None] + np.arange(1, n + 1)]
        hashes = section.fields.hashes[section.first[:, None] + np.arange(1, n + 1)]
        strange = known[np.minimum(np.searchsorted(known, hashes), len(known) - 1)] != hashes
        if strange.any():
            raise section.fault(int(np.flatnonzero(strange.any(1))[0]), "a word is not among the unigrams")
        prefixes = ids[:, 0]
        for k, level in enumerate(self.levels[1:], 1):
            keys, wanted = pair_keys(*level.pairs), pair_keys(prefixes, ids[:, k])
            prefixes = np.searchsorted(keys, wanted)
            absent = keys.take(prefixes, mode="clip") != wanted if len(keys) else np.ones(len(wanted), bool)
            if absent.any():
                raise section.fault(
                    int(np.flatnonzero(absent)[0]), f"its first {k + 1} words are not among the {k + 1}-grams"
                )
        keys = pair_keys(prefixes, ids[:, -1])
        order = np.argsort(keys, kind="stable")
        if len(twice := np.flatnonzero(np.diff(keys[order]) == 0)):
            raise section.fault(int(order[twice[0] + 1]), "the n-gram stands twice")
        self.levels.append(Entries(prefixes[order], ids[order, -1], log_probs[order], backoffs[order]))


def _number(cell: bytes) -> float:
    try:
        return float(cell)
    except ValueError:
        return np.nan
