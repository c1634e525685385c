"""Plain text of files, tables and folders, as lines and as blocks of them."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gradatim.data.plain import line_blocks
from gradatim.data.source import find_source
from gradatim.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    (tmp_path / "b.csv").write_text("text,label\nthree three three,1\nfour four four,0\n")
    (tmp_path / "empty.txt").write_text("")
    return tmp_path


def test_blocks_are_whole_lines_with_the_file_that_they_are_from(folder: Path) -> None:
    found = list(line_blocks([str(folder)]))
    assert [(Path(where.split(",")[0]).name, data.decode()) for where, data in found] == [
        ("a.txt", "one\ntwo\n"),
        ("b.csv", "three three three\nfour four four\n"),
    ]
    assert [data for _, data in line_blocks([str(folder / "a.txt")], size=1)] == [b"one\n", b"two\n"]


def test_an_empty_file_is_passed_over_beside_others_and_refused_by_its_name_alone(folder: Path) -> None:
    empty = str(folder / "empty.txt")
    assert [data for _, data in line_blocks([empty, str(folder / "a.txt")])] == [b"one\ntwo\n"]
    with pytest.raises(DataError, match=r"empty\.txt holds no text"):
        list(line_blocks([empty]))


def test_a_pipe_is_read_as_lines_once_and_refused_where_tables_are_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(DataError, match="write what it gives to a file"):
        find_source(pipe)
    with ThreadPoolExecutor(1) as pool:  # each end waits for the other to be opened
        pool.submit(pipe.write_text, "one\ntwo\n")
        assert [data for _, data in line_blocks([str(pipe)])] == [b"one\ntwo\n"]


def test_half_a_surrogate_pair_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "hello"}\n{"text": "hello \\ud83d world"}\n')
    with pytest.raises(DataError, match=r"a\.jsonl, line 2: .*surrogate"):
        list(line_blocks([str(tmp_path / "a.jsonl")]))
