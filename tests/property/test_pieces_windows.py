"""Windows cover: every token of every text is in some window, whatever the lengths."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gradatim.text.pieces import PieceEncoder
from gradatim.text.windows import windows
from gradatim.types import Encoded

LETTERS = st.text(alphabet="abcdefgh", max_size=60).map(" ".join)
BATCH = st.lists(st.tuples(LETTERS, LETTERS), min_size=1, max_size=5)


@given(
    lengths=st.lists(st.integers(0, 500), max_size=20),
    room=st.integers(1, 60),
    data=st.data(),
)
def test_windows_cover_overlap_and_fit(lengths: list[int], room: int, data: st.DataObject) -> None:
    stride = data.draw(st.integers(0, room - 1))
    owners, starts, ends = windows(np.array(lengths, dtype=np.int64), room, stride)
    for i, length in enumerate(lengths):
        spans = list(zip(starts[owners == i].tolist(), ends[owners == i].tolist(), strict=True))
        assert spans[0][0] == 0
        assert spans[-1][1] == length
        assert all(end - start <= room for start, end in spans)
        assert all(end - start == stride for (start, _), (_, end) in zip(spans[1:], spans, strict=False))
        sizes = [end - start for start, end in spans]
        assert max(sizes) - min(sizes) <= 1
        fewest = max(1, -(-(length - stride) // (room - stride)))
        assert len(spans) == fewest
    assert (np.diff(owners) >= 0).all()


def contents(encoded: Encoded) -> list[tuple[int, list[int], list[int]]]:
    """Per row: its text, and its tokens without special tokens in segments 0 and 1."""
    parts = []
    ends = np.cumsum(encoded.arrays["lengths"])
    for owner, start, end in zip(encoded.owners, ends - encoded.arrays["lengths"], ends, strict=True):
        ids, segments = encoded.arrays["ids"][start:end], encoded.arrays["segments"][start:end]
        real = (ids != 2) & (ids != 3)
        parts.append((int(owner), ids[real & (segments == 0)].tolist(), ids[real & (segments == 1)].tolist()))
    return parts


def covers(rows: list[list[int]], whole: list[int]) -> bool:
    """Whether the rows, in order, read the whole from its first token to its last without a gap."""
    reached = 0
    for row in rows:
        fits = [at for at in range(reached + 1) if whole[at : at + len(row)] == row]
        if not fits:
            return False
        reached = max(reached, fits[-1] + len(row))
    return reached == len(whole)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batch=BATCH, max_length=st.integers(7, 24), data=st.data())
def test_rows_lose_nothing(
    tokenizer_json: str, batch: list[tuple[str, str]], max_length: int, data: st.DataObject
) -> None:
    stride = data.draw(st.integers(0, (max_length - 3) // 2 - 1))
    encoder = PieceEncoder(tokenizer_json, max_length=max_length, stride=stride)
    whole = PieceEncoder(tokenizer_json, max_length=10_000)
    firsts, seconds = [a for a, _ in batch], [b for _, b in batch]
    for pairs in (None, seconds):
        encoded = encoder.encode(firsts, pairs)
        assert encoded.cut == 0
        assert encoded.arrays["lengths"].max() <= max_length
        for owner, first, second in contents(whole.encode(firsts, pairs)):
            mine = [row for row in contents(encoded) if row[0] == owner]
            assert covers([row[1] for row in mine], first)
            assert covers([row[2] for row in mine], second)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batch=BATCH, max_length=st.integers(5, 24))
def test_truncation_counts_every_token_it_leaves_out(
    tokenizer_json: str, batch: list[tuple[str, str]], max_length: int
) -> None:
    encoder = PieceEncoder(tokenizer_json, max_length=max_length, truncate=True)
    firsts, seconds = [a for a, _ in batch], [b for _, b in batch]
    for pairs in (None, seconds):
        encoded = encoder.encode(firsts, pairs)
        tokens = sum(len(a.split()) + (len(b.split()) if pairs else 0) for a, b in batch)
        kept = sum(len(first) + len(second) for _, first, second in contents(encoded))
        assert encoded.cut == tokens - kept
        assert len(encoded.owners) == len(batch)
