"""Text in pieces, while its tokens come."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence

from tokenizers import Tokenizer

NO_CHARACTER = "\N{REPLACEMENT CHARACTER}"  # what bytes become that are no character, or not yet


def streamed(
    groups: Iterable[Sequence[int]], decode: Callable[[list[int]], str], *, loose: Container[int] = ()
) -> Iterator[str]:
    """The text of tokens that come in groups, in pieces; joined they are what `decode` makes of all tokens.

    No piece is changed by what comes after it. So bytes wait until they are characters; those of `loose` tokens, see
    `single_bytes`, until another token ends their run.
    """
    ids: list[int] = []
    said = 0
    for group in groups:
        ids.extend(group)
        if ids and ids[-1] not in loose:
            sure = decode(ids).rstrip(NO_CHARACTER)[said:]
            said += len(sure)
            if sure:
                yield sure
    if rest := decode(ids)[said:]:
        yield rest


def single_bytes(tokenizer: Tokenizer) -> frozenset[int]:
    """The tokens of a tokenizer that are one byte, `<0x00>` to `<0xFF>`: a run of them is decoded as a whole."""
    found = (tokenizer.token_to_id(f"<0x{byte:02X}>") for byte in range(256))
    return frozenset(token for token in found if token is not None)
