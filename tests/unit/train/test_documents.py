"""What a recipe reads: files, their lines, rows of tables, and sentences of any of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradatim.errors import DataError
from gradatim.train.documents import DataSettings, expand_sources, read_documents, split_sentences

TEXT = 'He said "no." Then?<br /><br />Yes (it is!) so...\n\nA new one\nover two lines.'
SENTENCES = ['He said "no."', "Then?", "Yes (it is!)", "so...", "A new one\nover two lines."]


def read(path: Path, **settings: Any) -> list[str]:
    return read_documents(str(path), DataSettings(source=str(path), **settings))


def test_sentences_end_at_marks_line_breaks_of_html_and_empty_lines() -> None:
    assert split_sentences(TEXT) == SENTENCES
    assert split_sentences(" \n ") == []


@given(st.text(alphabet='ab.!?"<br/> \n'))
def test_sentences_hold_all_but_what_divides_them(text: str) -> None:
    kept, plain = "".join(split_sentences(text)), re.sub(r"\s|<br\s*/?>", "", text)
    assert re.sub(r"\s", "", kept) == plain


def test_a_text_file_is_a_document_its_lines_or_its_sentences(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("One. Two.\n\nThree.\n")
    assert read(path) == ["One. Two.\n\nThree.\n"]
    assert read(path, lines=True) == ["One. Two.\n", "Three.\n"]
    assert [part.strip() for part in read(path, sentences=True)] == ["One.", "Two.", "Three."]


def test_rows_of_a_table_are_divided_too(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in (TEXT, "Short.")))
    assert read(path) == [TEXT, "Short."]
    assert read(path, sentences=True) == [*SENTENCES, "Short."]


def test_a_pattern_names_files_or_is_refused(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt"):
        (tmp_path / name).write_text(name)
    assert [Path(one).name for one in expand_sources([str(tmp_path / "*.txt")])] == ["a.txt", "b.txt"]
    (tmp_path / "c[1].txt").write_text("its name is no pattern")
    assert expand_sources(str(tmp_path / "c[1].txt")) == [str(tmp_path / "c[1].txt")]
    (tmp_path / "below" / "here").mkdir(parents=True)
    (tmp_path / "below" / "here" / "d.txt").write_text("d")
    assert len(expand_sources(str(tmp_path / "**" / "*.txt"))) == 4
    with pytest.raises(DataError, match="no file matches"):
        expand_sources(str(tmp_path / "*.csv"))
