"""`gradatim data`."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from gradatim.cli.data import app
from gradatim.data import catalog, entries, hub
from gradatim.errors import DataError

pytest.importorskip("datasets")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADATIM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("GRADATIM_DATA", raising=False)
    monkeypatch.setattr(hub, "reachable", lambda: False)


def test_list_names_every_row() -> None:
    done = CliRunner().invoke(app, ["list"])
    assert done.exit_code == 0
    assert all(name in done.stdout for name in entries())


def test_get_prints_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("gradatim.data.fetch", lambda name, **_: tmp_path / name)
    done = CliRunner().invoke(app, ["get", "tweets"])
    assert done.stdout.strip() == str(tmp_path / "tweets")


def test_show_says_what_was_guessed(tmp_path: Path) -> None:
    path = tmp_path / "reviews.csv"
    path.write_text("stuff,kind\n" + "".join(f"[b]some words {i},{'pq'[i % 2]}\n" for i in range(100)))
    done = CliRunner().invoke(app, ["show", str(path), "--rows", "2"])
    assert done.exit_code == 0, done.output
    for words in ("'stuff'", "'kind'", "train 80", "80", "[b]some words", "Length in characters"):
        assert words in done.stdout


def test_show_fails_with_the_readers_error(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["show", str(tmp_path / "none.csv")])
    assert isinstance(done.exception, DataError)


def test_catalog_is_read_once() -> None:
    assert catalog.entries() is catalog.entries()
