"""The words of raw text as tagged sentences have them: what stands between spaces, without the marks at its ends."""

from __future__ import annotations

import re

from gradatim.text.words import UNSPACED

Span = tuple[int, int]

# Scripts without spaces: a word each.
_ALONE = "".join(f"{chr(low)}-{chr(high - 1)}" for low, high in UNSPACED)
_RUN = re.compile(r"(?:[^\s]|\u00a0)+")  # a no-break space is part of its word
_PART = re.compile(f"[{_ALONE}]|[^{_ALONE}]+")
_BEFORE = re.compile(r"""(["'«“„‘([{<¿¡]|\.{2,})(?=.)""")
_AFTER = re.compile(r"""(['’]s|[]["'»”’)}>.,;:!?…])$""")
_REPEATED = ".!?"  # of which several are one mark
_KEPT = re.compile(r"(?:\w{1,3}\.){2,}|[^\W\d_]\.")  # U.S. and J. keep their full stop
# Where they stand alone, words are cut already.
MARKS = frozenset(
    [".", ",", "(", ")", '"', "''", "``", "。", "，", "'s", "'m", "'re", "'ve", "'ll", "'d", "n't"]
)


def find_words(text: str) -> list[Span]:
    """Where the words of a text lie.

    Quotation marks, brackets and punctuation at the ends of a run between spaces are words by themselves, and so is
    's; abbreviations such as U.S. keep their full stop. A text in which a full stop, a comma or another of
    `MARKS` stands alone has been cut into words already, and only its spaces count.
    """
    runs = [match.span() for match in _RUN.finditer(text)]
    if not MARKS.isdisjoint(text[start:end] for start, end in runs):
        return runs
    words: list[Span] = []
    for start, end in runs:
        for part in _PART.finditer(text, start, end):
            words += _peeled(text, *part.span())
    return words


def _peeled(text: str, start: int, end: int) -> list[Span]:
    """A run as its core and the marks around it."""
    before, after = [], []
    while found := _BEFORE.match(text, start, end):
        before.append(found.span())
        start = found.end()
    while (mark := _mark(text, start, end)) < end:
        if text[end - 1] == "." and _KEPT.fullmatch(text, start, end):
            break
        after.append((mark, end))
        end = mark
    return [*before, (start, end), *reversed(after)]


def _mark(text: str, start: int, end: int) -> int:
    """Where the mark begins that a run ends with, a character at least before it; `end` where there is none.

    Only the end is looked at: a run may have thousands of marks.
    """
    found = _AFTER.search(text, max(start + 1, end - 2), end)
    if found is None:
        return end
    mark = found.start()
    while mark - 1 > start and text[mark] in _REPEATED and text[mark - 1] == text[mark]:
        mark -= 1
    return mark
