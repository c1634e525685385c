"""Words by number, and text as numbers with sentences marked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gradatim.errors import ConfigError, DataError
from gradatim.text.hashing import Ints
from gradatim.text.lookup import Lookup, distinct
from gradatim.text.space import IN_MEMORY, Space
from gradatim.text.spaced import SpacedWords, hash_words, spaced_words

UNKNOWN, START, END = range(3)
RESERVED = (b"<unk>", b"<s>", b"</s>")  # their numbers are their places
MARKS = hash_words([*RESERVED[1:]])


class Vocabulary:
    """Words by number; the first three are `RESERVED`. A word that is not there has the number of `<unk>`."""

    def __init__(self, words: list[bytes]) -> None:
        if tuple(words[:3]) != RESERVED:
            raise ConfigError(f"a vocabulary begins with {b', '.join(RESERVED).decode()}")
        self.words = words
        hashes = hash_words(words)
        if len(np.unique(hashes)) < len(words):
            raise ConfigError("a word stands twice in the vocabulary")
        self._lookup, self._numbers = Lookup.build(hashes)

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def strings(self) -> list[str]:
        """The words as text."""
        return [word.decode() for word in self.words]

    def numbers(self, words: SpacedWords) -> Ints:
        """The number of each word."""
        found = self._lookup.find(words.hashes)
        numbers: Ints = self._numbers.take(found)
        numbers[found < 0] = UNKNOWN
        return numbers

    def sentences(self, lines: Sequence[str]) -> tuple[Ints, Ints]:
        """The lines as ids, START before and END after each, and how many ids each has; a line may be empty.

        Raises DataError, with the number of the sentence, for a line end or a mark within it.
        """
        words = spaced_words("\n".join([*lines, ""]).encode())
        if words.num_lines != len(lines):
            raise DataError("a sentence holds a line end: give its lines one by one")
        _refuse_marks(words, "sentence")
        return framed(self.numbers(words), words.lines, len(lines))


def framed(numbers: Ints, lines: Ints, num_lines: int) -> tuple[Ints, Ints]:
    """START before and END after the words of every line, and how many ids each line then has."""
    sizes = np.bincount(lines, minlength=num_lines) + 2
    ids = np.empty(len(numbers) + 2 * num_lines, dtype=np.int64)
    ends = np.cumsum(sizes)
    ids[ends - sizes], ids[ends - 1] = START, END
    ids[np.arange(len(numbers)) + 2 * lines + 1] = numbers
    return ids, sizes


@dataclass(frozen=True, slots=True)
class Text:
    """A corpus as ids, every line between START and END, and what its words are."""

    vocabulary: Vocabulary
    ids: Ints
    num_sentences: int

    @property
    def num_words(self) -> int:
        """Words, ends of sentences counted as such: what a model of it predicts."""
        return len(self.ids) - self.num_sentences


def read_text(
    blocks: Iterable[tuple[str, bytes]],
    *,
    min_count: int = 1,
    known: Vocabulary | None = None,
    space: Space = IN_MEMORY,
) -> Text:
    """Number the words of text that comes in whole lines, each part with the name of its source.

    Every line is a sentence, one without words too, as KenLM counts them. Words rarer than `min_count` become
    `<unk>`; with a `known` vocabulary, its numbers are used. Raises DataError for text without words, and, with the
    line, for `<s>` or `</s>` among the words.
    """
    growing = _Growing()
    numbers = growing.numbers if known is None else known.numbers
    ids = space.joined(_sentences(blocks, numbers), np.int32)
    starts = sum(int(np.count_nonzero(ids[block] == START)) for block in space.blocks(len(ids)))
    if len(ids) == 2 * starts:
        what = "the corpus" if known is None else "the text held out"
        raise DataError(f"{what} has no words: there is nothing to count")
    if known is None:
        words, renumbered = growing.kept(min_count)
        known = Vocabulary(words)
        for block in space.blocks(len(ids)):
            ids[block] = renumbered[ids[block]]
    return Text(known, ids, starts)


def _sentences(blocks: Iterable[tuple[str, bytes]], numbers: Callable[[SpacedWords], Ints]) -> Iterator[Ints]:
    """The ids of each part, framed."""
    source, line = "", 0
    for where, data in blocks:
        words = spaced_words(data)
        source, line = where, line if where == source else 0
        _refuse_marks(words, f"{where}, line", line)
        line += words.num_lines
        yield framed(numbers(words), words.lines, words.num_lines)[0]


def _refuse_marks(words: SpacedWords, where: str, before: int = 0) -> None:
    """Raises DataError with the line, `before` lines counted already, for a mark among the words."""
    if len(marked := np.flatnonzero(np.isin(words.hashes, MARKS))):
        at = int(marked[0])
        line, mark = before + int(words.lines[at]) + 1, words.word(at).decode()
        raise DataError(
            f"{where} {line}: '{mark}' marks where a sentence begins or ends, it cannot be a word: remove it, lines "
            "are sentences already"
        )


class _Growing:
    """A vocabulary that takes in the words it meets, in the order in which it meets them."""

    def __init__(self) -> None:
        self.words = list(RESERVED)
        hashes = hash_words(self.words)
        order = np.argsort(hashes)
        self.hashes, self.ids = hashes[order], order
        self.counts = np.zeros(len(RESERVED), dtype=np.int64)

    def numbers(self, words: SpacedWords) -> Ints:
        """The number of each word, new ones if need be."""
        hashes, first, counts, inverse = distinct(words.hashes, stable=True)
        place = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        ids = np.where(self.hashes[place] == hashes, self.ids[place], -1)
        new = np.flatnonzero(ids < 0)
        new = new[np.argsort(first[new])]
        ids[new] = np.arange(len(new)) + len(self.words)
        self.words += [words.word(i) for i in first[new].tolist()]
        self.counts = np.concatenate([self.counts, np.zeros(len(new), dtype=np.int64)])
        self.counts[ids] += counts
        order = np.argsort(hashes[new])
        at = np.searchsorted(self.hashes, hashes[new][order])
        self.hashes = np.insert(self.hashes, at, hashes[new][order])
        self.ids = np.insert(self.ids, at, ids[new][order])
        numbers: Ints = ids[inverse]
        return numbers

    def kept(self, min_count: int) -> tuple[list[bytes], Ints]:
        """The words that occur so often, and the new number of every old one."""
        keep = self.counts >= min_count
        keep[: len(RESERVED)] = True
        renumbered = np.where(keep, np.cumsum(keep) - 1, UNKNOWN)
        return [self.words[i] for i in np.flatnonzero(keep).tolist()], renumbered
