"""Tables beside questions: files and members of an archive, with a byte order mark and not in UTF-8."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from gradatim.data.asked import TABLES, read_table_questions
from gradatim.errors import DataError


def asked(folder: Path, table: bytes, archived: bool) -> Path:
    """A question about a table that stands beside it, or in the archive there."""
    if archived:
        with tarfile.open(folder / TABLES, "w:gz") as archive:
            member = tarfile.TarInfo("csv/1.csv")
            member.size = len(table)
            archive.addfile(member, io.BytesIO(table))
    else:
        (folder / "csv").mkdir()
        (folder / "csv" / "1.csv").write_bytes(table)
    path = folder / "test.tsv"
    path.write_text("id\tutterance\tcontext\ttargetValue\n1\twhat?\tcsv/1.csv\tone\n")
    return path


@pytest.mark.parametrize("archived", [False, True])
def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path, archived: bool) -> None:
    (one,) = read_table_questions(asked(tmp_path, "City,Year\r\nKöln,1998\r\n".encode("utf-8-sig"), archived))
    assert one.grid.columns == ("City", "Year")
    assert one.grid.rows == (("Köln", "1998"),)


@pytest.mark.parametrize("archived", [False, True])
def test_a_table_that_is_not_utf8_is_named(tmp_path: Path, archived: bool) -> None:
    with pytest.raises(DataError, match=r"1\.csv.* byte 0xF6 at offset 11 .*not UTF-8"):
        read_table_questions(asked(tmp_path, "City,Year\nKöln,1998\n".encode("latin-1"), archived))
