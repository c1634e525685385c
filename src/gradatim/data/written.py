"""Texts with what should be written from them, cleaned and split, as a corpus to climb on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gradatim.data.annotated import SETS
from gradatim.data.catalog import entries
from gradatim.data.cleaning import cleaned
from gradatim.data.corpus import assembled
from gradatim.data.named import NAMED, named_key
from gradatim.data.parallel import BRACES, Parallel, load_parallel
from gradatim.data.source import PathLike, find_source
from gradatim.data.splits import HELD_OUT, content_key, held_out, missing_splits
from gradatim.types import Corpus, Examples, Task
from gradatim.wording import count

MOST = 2000  # pairs of a made dev or test split


def is_parallel(source: str) -> bool:
    """Whether a source is known to hold texts with their translations, without being told which column is what."""
    if BRACES.search(source) or len(SETS.get(source, {}).get("train", ())) == 2:
        return True
    key, entry = named_key(source), entries().get(source)
    table = entry.table if entry is not None else NAMED[key].table if key is not None else None
    return table is not None and "text_pair" in table and "label" not in table


def load_written(
    source: PathLike,
    *,
    text: str | None = None,
    target: str | None = None,
    dev: PathLike | None = None,
    test: PathLike | None = None,
    seed: int = 0,
) -> Corpus:
    """What `load_parallel` reads, split into train, dev and test; the training pairs `cleaned`.

    Made splits get a tenth of the pairs, at most 2,000; pairs of equal sources stay together. Raises DataError for what
    cannot be used and SourceError for what cannot be fetched.
    """
    name = str(source)
    splits, notes = load_parallel(name, text=text, text_pair=target)
    for split, path in (("dev", dev), ("test", test)):
        if path is not None:
            splits[split] = load_parallel(str(path), text=text, text_pair=target)[0]["train"]
    if missing := missing_splits(splits):
        notes.append(_hold_out(splits, missing, seed))
    splits["train"], left_out = cleaned(splits["train"])
    shared = _shared(splits)
    examples = {split: _examples(pairs) for split, pairs in splits.items()}
    task = Task((), kind="seq2seq")
    described = _described(name)
    name = described.pop("name", name)
    return assembled(name, task, examples, (*notes, *left_out, *shared), **described)


def _described(source: str) -> dict[str, str]:
    """Name, licence and citation, where the source has them."""
    if BRACES.search(source) or source in SETS:
        return {}
    found = find_source(source)
    return {"name": found.name, "licence": found.licence, "citation": found.citation}


def _examples(pairs: Parallel) -> Examples:
    targets = np.empty(len(pairs.targets), dtype=object)
    targets[:] = pairs.targets
    return Examples(pairs.sources, None, targets)


def _hold_out(splits: dict[str, Parallel], missing: list[str], seed: int) -> str:
    """Make the missing splits out of train, and say how."""
    whole = splits["train"]
    size = len(whole.sources)
    keys = [content_key(source, None) for source in whole.sources]
    made = held_out(keys, dict.fromkeys(missing, min(HELD_OUT, MOST / size)), seed)
    splits |= {name: whole.take(rows.tolist()) for name, rows in made.items() if len(rows)}
    sizes = ", ".join(f"{name} {len(rows):,}" for name, rows in made.items())
    return f"split made from {count(size, 'pair')}, those of equal sources together, seed {seed}: {sizes}"


def _shared(splits: Mapping[str, Parallel]) -> list[str]:
    """A note on every split of which pairs occur in train."""
    seen = set(zip(*splits["train"], strict=True))
    return [
        f"leak: {twice:,} of {len(splits[name].sources):,} {name} pairs also in train; kept"
        for name in sorted(splits.keys() - {"train"})
        if (twice := sum(pair in seen for pair in zip(*splits[name], strict=True)))
    ]
