"""Pictures of the commands: the format that is asked for, whole or not at all."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gradatim.cli import app

LINES = "man 1 0 0\nwoman 1 1 0\nking 3 0 3\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "v.txt"
    path.write_text(LINES)
    return path


def draw(file: Path, out: Path) -> Result:
    words = ["vectors", "picture", str(file), "man", "woman", "king", "--out", str(out)]
    return CliRunner().invoke(app, words)


@pytest.mark.parametrize(("suffix", "begins"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_the_suffix_names_the_format(file: Path, suffix: str, begins: bytes) -> None:
    out = file.with_name(f"p{suffix}")
    result = draw(file, out)
    assert result.exit_code == 0, result.output
    assert out.read_bytes().startswith(begins)


def test_a_picture_that_cannot_be_written_leaves_the_old_one(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    out = file.with_name("p.png")
    out.write_bytes(b"precious")
    monkeypatch.setattr("gradatim.engine.atomic.os.fsync", full)
    result = draw(file, out)
    assert result.exit_code == 2
    assert "p.png was not written: No space left" in " ".join(result.stderr.split())
    assert out.read_bytes() == b"precious"
    assert {path.name for path in file.parent.iterdir()} == {"v.txt", "p.png"}


def test_bench_draws_in_the_format_that_is_asked_for(tmp_path: Path) -> None:
    sizes = ["--length", 2, "--length", 4, "--width", 64, "--width", 128, "--threads", 1]
    words = ["bench", "layers", *map(str, sizes), "--png"]
    refused = CliRunner().invoke(app, [*words, str(tmp_path / "p.jpg")])
    assert refused.exit_code == 2
    assert ".png or .svg or .pdf" in " ".join(refused.stderr.split())
    done = CliRunner().invoke(app, [*words, str(tmp_path / "p.svg")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "p.svg").read_bytes().startswith(b"<?xml")
