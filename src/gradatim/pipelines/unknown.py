"""Words that a model cannot write, taken from its source."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tokenizers import Tokenizer

from gradatim.types import Array

UNKNOWN = ("<unk>", "[UNK]")


def unknown_token(tokenizer: Tokenizer) -> int | None:
    """The token that stands for all that has none of its own."""
    found = (tokenizer.token_to_id(name) for name in UNKNOWN)
    return next((token for token in found if token is not None), None)


def with_source_words(
    ids: Sequence[int],
    attention: Array,
    unknown: int,
    decode: Callable[[list[int]], str],
    source: str,
    spans: Sequence[tuple[int, int]],
) -> str:
    """The text of tokens, in which each unknown one is the word of the source that it looked at most
    (Luong et al. 2015, Addressing the Rare Word Problem, section 3.3; copied, for lack of a dictionary).

    `attention` (tokens, source tokens); `spans` are the characters of each source token, equal ends where it has none.
    """
    parts, run = [], list[int]()
    for token, looked in zip(ids, attention, strict=True):
        if token != unknown:
            run.append(token)
            continue
        parts += [decode(run), word_at(source, spans, looked)]
        run = []
    return " ".join(part for part in (*parts, decode(run)) if part)


def word_at(source: str, spans: Sequence[tuple[int, int]], looked: Array) -> str:
    """The word between white space of the source token that was looked at most, of those that stand for characters."""
    order = (-looked[: len(spans)]).argsort(kind="stable").tolist()
    for place in order:
        start, end = spans[place]
        if source[start:end].strip():
            while start and not source[start - 1].isspace():
                start -= 1
            while end < len(source) and not source[end].isspace():
                end += 1
            return source[start:end].strip()
    return ""
