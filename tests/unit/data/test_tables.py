"""Files as tables: formats, delimiters, headers, compression, damage and bad bytes."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from pathlib import Path

import pytest

from gradatim.data.tables import Table, concatenated, open_table
from gradatim.data.textfile import decompressed
from gradatim.errors import DataError


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows(table: Table) -> list[tuple[int, list[object]]]:
    return [(line, list(cells)) for line, cells in table.scan()]


def test_csv_with_header_quotes_and_line_numbers(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'text,label\n"two\nlines, and ""quotes""",x\nplain,y\n\nlast,x\n')
    table = open_table(path)
    assert table.columns == ("text", "label")
    assert rows(table) == [
        (2, ['two\nlines, and "quotes"', "x"]),
        (4, ["plain", "y"]),
        (6, ["last", "x"]),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_of_a_csv_is_found(tmp_path: Path, delimiter: str) -> None:
    lines = [["text", "label"], ["good", "1"], ["bad", "0"]]
    path = write(tmp_path / "a.csv", "\n".join(delimiter.join(line) for line in lines))
    assert [cells for _, cells in rows(open_table(path))] == [["good", "1"], ["bad", "0"]]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_line_by_which_a_spreadsheet_names_its_delimiter_is_no_row(
    tmp_path: Path, delimiter: str
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"sep={delimiter}\r\ntext{delimiter}label\r\ngood{delimiter}1\r\nbad{delimiter}0\r\n")
    found = open_table(path)
    assert found.columns == ("text", "label")
    assert list(found.scan()) == [(3, ["good", "1"]), (4, ["bad", "0"])]


def test_csv_without_header_keeps_its_first_row(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "a fine film,1\na dull film,0\n")
    table = open_table(path)
    assert table.columns == ("column1", "column2")
    assert len(rows(table)) == 2
    assert table.notes


@pytest.mark.parametrize("header", [",text,label", "id,text,", " ,text,label"])
def test_a_header_may_leave_a_column_without_name(tmp_path: Path, header: str) -> None:
    table = open_table(write(tmp_path / "a.csv", f"{header}\n0,a fine film,1\n1,a dull film,0\n"))
    assert "text" in table.columns
    assert len(set(table.columns)) == 3
    assert len(rows(table)) == 2


def test_a_column_name_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 1: the column name 'text' occurs twice"):
        open_table(write(tmp_path / "a.csv", "text,text\na fine film,1\na dull film,0\n"))


def test_header_is_not_seen_in_a_row_of_words(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "a fine film,pos\na dull film,neg\nfine again,pos\n")
    assert len(rows(open_table(path))) == 3


def test_a_question_may_be_the_name_of_a_column(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "What did you think of the product?,Rating\nfine,good\ndull,poor\n")
    table = open_table(path)
    assert table.columns == ("What did you think of the product?", "Rating")
    assert len(rows(table)) == 2


@pytest.mark.parametrize(
    "content",
    [
        "I liked it very much indeed,4\nfine,5\n",
        "I liked it very much indeed,good\nfine,good\n",
        "I liked it very much indeed,Es hat mir sehr gut gefallen\nfine,gut\n",
        "I liked it very much indeed\nfine\n",
    ],
)
def test_a_long_text_in_the_first_row_is_no_name_among_data(tmp_path: Path, content: str) -> None:
    assert len(rows(open_table(write(tmp_path / "a.csv", content)))) == 2


def test_tsv_keeps_bare_quotation_marks(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", 'sentence\tlabel\n"open quote only\t1\nhe said "no"\t0\n')
    assert [cells[0] for _, cells in rows(open_table(path))] == ['"open quote only', 'he said "no"']


def test_tsv_of_a_spreadsheet_is_unquoted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", 'sentence\tlabel\n"a ""b"" c"\t1\n"tab\tinside"\t0\n')
    assert [cells[0] for _, cells in rows(open_table(path))] == ['a "b" c', "tab\tinside"]


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_a_tsv_without_tabs_is_read_as_what_it_is(tmp_path: Path, delimiter: str) -> None:
    lines = [["text", "label"], ['"a' + delimiter + ' b"', "x"], ["c", "y"]]
    found = open_table(write(tmp_path / "a.tsv", "".join(delimiter.join(cells) + "\n" for cells in lines)))
    assert found.columns == ("text", "label")
    assert rows(found) == [(2, ["a" + delimiter + " b", "x"]), (3, ["c", "y"])]
    alone = open_table(write(tmp_path / "b.tsv", "text\nno, never\nyes\n"))
    assert rows(alone) == [(2, ["no, never"]), (3, ["yes"])]


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder"):
        open_table(tmp_path)


def test_a_list_over_several_lines_is_not_json_lines(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 1: not valid JSON.*\.json file"):
        open_table(write(tmp_path / "a.jsonl", '[\n{"text": "a"}\n]\n'))


def test_byte_order_mark_and_crlf(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "\ufefftext\tlabel\r\nfein\t1\r\n".encode())
    table = open_table(path)
    assert table.columns == ("text", "label")
    assert rows(table) == [(2, ["fein", "1"])]


def test_ragged_row_is_refused_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "text,label\na,1\nb,0\nto be, or not,1\n")
    with pytest.raises(DataError, match=r"a\.csv, line 4: 3 cells.*2 columns"):
        rows(open_table(path))


def test_empty_cells_beyond_the_last_column_are_dropped(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "text,label\na,1\nb,0,,\n")
    assert rows(open_table(path))[1] == (3, ["b", "0"])


def test_unclosed_quote_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'text,label\na,1\n"never closed,0\nb,1\n')
    with pytest.raises(DataError, match="line 3"):
        rows(open_table(path))


@pytest.mark.parametrize(("suffix", "opener"), [(".gz", gzip.open), (".xz", lzma.open), (".bz2", bz2.open)])
def test_compressed_files(tmp_path: Path, suffix: str, opener) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / f"train.csv{suffix}"
    with opener(path, "wt", encoding="utf-8") as stream:
        stream.write("text,label\ngrün,1\nblau,0\n")
    assert decompressed(path) == tmp_path / "train.csv"
    assert rows(open_table(path))[0] == (2, ["grün", "1"])


def test_truncated_gzip(tmp_path: Path) -> None:
    whole = gzip.compress(("text,label\n" + "some words,1\nmore words,0\n" * 5000).encode())
    path = write(tmp_path / "a.csv.gz", whole[: len(whole) // 2])
    with pytest.raises(DataError, match="damaged or cut off"):
        rows(open_table(path))


def test_json_lines_keep_types_and_skip_blank_lines(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.jsonl", '{"text": "a", "label": 1}\n\n{"label": "1", "text": "b", "more": null}\n'
    )
    table = open_table(path)
    assert table.columns == ("text", "label", "more")
    assert rows(table) == [(1, ["a", 1, None]), (3, ["b", "1", None])]


@pytest.mark.parametrize("line", ['{"text": "a"', "[1, 2]", "NULL", '"text"'])
def test_bad_json_line_is_named(tmp_path: Path, line: str) -> None:
    path = write(tmp_path / "a.jsonl", '{"text": "a", "label": 1}\n' + line + "\n")
    with pytest.raises(DataError, match=r"a\.jsonl, line 2"):
        open_table(path)


def test_json_list(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", json.dumps([{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]))
    assert rows(open_table(path)) == [(1, ["a", "x"]), (2, ["b", "y"])]


def test_parquet(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["a", None], "labels": [["x", "y"], []]}), path)
    table = open_table(path)
    assert table.columns == ("text", "labels")
    assert rows(table) == [(1, ["a", ["x", "y"]]), (2, [None, []])]


def test_damaged_parquet(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    with pytest.raises(DataError, match="Parquet"):
        open_table(write(tmp_path / "a.parquet", b"PAR1 is not enough"))


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.json", "a.parquet", "a.txt"])
def test_empty_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="empty"):
        open_table(write(tmp_path / name, ""))


def test_file_with_blank_lines_only(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="empty"):
        open_table(write(tmp_path / "a.csv", "\n\n"))


def test_unknown_suffix_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"\.csv.*\.parquet"):
        open_table(write(tmp_path / "a.docx", "x"))


@pytest.mark.parametrize("good", [b"", b"x" * 40, "ü".encode() * (1 << 19), b"line,1\n" * 300_000])
def test_byte_that_is_not_utf8_is_located(tmp_path: Path, good: bytes) -> None:
    content = b"text,label\n" + good + b"caf\xe9,1\n"
    offset, line = content.index(b"\xe9"), content[: content.index(b"\xe9")].count(b"\n") + 1
    path = write(tmp_path / "a.csv", content)
    with pytest.raises(
        DataError, match=rf"a\.csv, line {line}: byte 0xE9 at offset {offset} .*iconv"
    ) as caught:
        rows(open_table(path))
    assert "utf8-a.csv" in str(caught.value)


def test_character_cut_off_at_the_end_of_file(tmp_path: Path) -> None:
    content = b"text,label\na,1\nb,caf\xc3"
    with pytest.raises(DataError, match=f"offset {len(content) - 1}"):
        rows(open_table(write(tmp_path / "a.csv", content)))


def test_utf16_is_recognised(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="UTF-16"):
        open_table(write(tmp_path / "a.csv", "text,label\na,1\n".encode("utf-16")))


def test_shards_are_joined_only_with_equal_columns(tmp_path: Path) -> None:
    one = open_table(write(tmp_path / "1.csv", "text,label\na,1\nb,0\n"))
    two = open_table(write(tmp_path / "2.csv", "text,label\nc,1\nd,0\n"))
    other = open_table(write(tmp_path / "3.csv", "words,label\nc,1\nd,0\n"))
    assert [cells[0] for _, cells in concatenated([one, two]).scan()] == ["a", "b", "c", "d"]
    with pytest.raises(DataError, match="different columns"):
        concatenated([one, other])
