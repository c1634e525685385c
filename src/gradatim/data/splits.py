"""Making splits: stratified, seeded, duplicates on one side; and counting what given splits share."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from gradatim.types import Array

HELD_OUT = 0.1  # share of the rows that a made dev or test split gets


def content_key(text: str, pair: str | None) -> bytes:
    """Equal for texts (and pairs) that differ only in case and white space."""
    parts = (" ".join(part.split()).casefold() for part in (text, pair) if part is not None)
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).digest()


def strata(label_sets: Sequence[tuple[str, ...]]) -> list[str]:
    """The stratum of each row: its label, or of several the rarest, so that rare ones are spread too."""
    counts = Counter(name for labels in label_sets for name in labels)
    return [min(labels, key=lambda name: (counts[name], name), default="") for labels in label_sets]


def split_rows(
    keys: Sequence[bytes], stratum: Sequence[str], shares: Sequence[float], seed: int
) -> list[Array]:
    """Rows of the remainder (train) and of one part per share, each in ascending order.

    Rows with equal keys stay together. Of every stratum each part gets its share to the nearest row, and at
    least one group of equal rows where the stratum has a group to spare; the remainder always keeps one.
    """
    groups: dict[bytes, list[int]] = defaultdict(list)
    for row, key in enumerate(keys):
        groups[key].append(row)
    by_stratum: dict[str, list[list[int]]] = defaultdict(list)
    for rows in groups.values():
        by_stratum[stratum[rows[0]]].append(rows)
    generator = np.random.default_rng(seed)
    parts: list[list[int]] = [[] for _ in range(1 + len(shares))]
    for name in sorted(by_stratum):
        pool = [by_stratum[name][i] for i in generator.permutation(len(by_stratum[name]))]
        total = sum(map(len, pool))
        for part, share in zip(parts[1:], shares, strict=True):
            part.extend(_draw(pool, share * total))
        for rows in pool:
            parts[0].extend(rows)
    return [np.array(sorted(part), dtype=np.int64) for part in parts]


def missing_splits(given: Collection[str]) -> list[str]:
    """The splits to make out of train: dev and test of a train that stands alone, else dev where there is none."""
    return ["dev", "test"] if len(given) == 1 else [] if "dev" in given else ["dev"]


def held_out(
    keys: Sequence[bytes], shares: Mapping[str, float], seed: int, stratum: Sequence[str] | None = None
) -> dict[str, Array]:
    """The rows that remain in train and those of each split in `shares`, as `split_rows` draws them."""
    parts = split_rows(keys, stratum or [""] * len(keys), list(shares.values()), seed)
    return dict(zip(["train", *shares], parts, strict=True))


def _draw(pool: list[list[int]], quota: float) -> list[int]:
    """Take groups out of `pool` until `quota` rows are reached, at least one group, never the last one."""
    drawn: list[int] = []
    kept: list[list[int]] = []
    while len(pool) + len(kept) > 1 and pool and len(drawn) + 0.5 <= max(quota, 0.5):
        group = pool.pop()
        if len(drawn) + len(group) <= quota + 0.5:
            drawn.extend(group)
        else:
            kept.append(group)  # many copies of one text would overfill a small part
    pool.extend(reversed(kept))
    if not drawn and len(pool) > 1:
        smallest = min(range(len(pool)), key=lambda i: len(pool[i]))
        drawn.extend(pool.pop(smallest))
    return drawn


def shared_rows(keys: Iterable[bytes], others: Iterable[bytes]) -> int:
    """How many of `keys` also occur in `others`."""
    known = set(others)
    return sum(key in known for key in keys)
