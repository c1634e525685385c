"""The rows of the catalog itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradatim.data import entries, fetch
from gradatim.errors import SourceError


def test_every_row_is_pinned_and_complete() -> None:
    assert set(entries()) == {
        "minilm-l6", "mpnet-base", "glove-6b-50d", "movie-snippets", "product-snippets", "editorial-snippets",
        "tweets", "tatoeba-en-fr", "tatoeba-en-es", "mauna-loa-co2",
    }  # fmt: skip
    for entry in entries().values():
        assert entry.kind in {"model", "vectors", "series", "labelled", "translation"}
        assert (entry.table is not None) == (entry.kind in {"labelled", "translation"})
        assert entry.licence
        assert entry.citation
        assert all(len(pin) == 64 for pin in entry.files.values())
        for name in entry.files:
            assert Path(name).name == name
        assert entry.hub is None or len(entry.hub.partition("@")[2]) == 40
        assert entry.packages
        assert all(len(pinned.sha256) == 64 and pinned.version for pinned in entry.packages)
        assert entry.inside is not None or len(entry.packages) == 1


def test_unknown_name_offers_the_nearest() -> None:
    with pytest.raises(SourceError, match="did you mean 'minilm-l6'"):
        fetch("minilm-16")
