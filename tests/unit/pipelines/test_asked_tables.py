"""Tables as they may be given to the pipeline, and those that are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gradatim.data.asked import read_table_questions
from gradatim.data.grids import TableQuestion
from gradatim.errors import DataError
from gradatim.pipelines.tables import grid_of
from gradatim.types import Grid

GRID = Grid(("City", "1998"), (("Paris", "37"), ("Rome", "")))


def test_all_forms_of_a_table_are_one(tmp_path: Path) -> None:
    columns: dict[str, list[Any]] = {"City": ["Paris", "Rome"], "1998": [37, None]}
    rows = [{"City": "Paris", "1998": "37"}, {"City": "Rome", "1998": None}]
    (tmp_path / "table.csv").write_text("City,1998\nParis,37\nRome,\n")
    assert grid_of({"City": ["Paris", "Rome"], "1998": ["37", float("nan")]}) == GRID
    assert grid_of(columns) == grid_of(rows) == grid_of(tmp_path / "table.csv") == grid_of(GRID) == GRID


def test_a_parquet_file_is_a_table(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"City": ["Paris", "Rome"], "1998": ["37", None]}), tmp_path / "table.parquet")
    assert grid_of(str(tmp_path / "table.parquet")) == GRID


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"a": ["1"], "b": []}, "of one length"),
        ({"a": [], "b": []}, "empty"),
        ({}, "empty"),
        ({"a": "text"}, "list of cells"),
        ([{"a": 1}, {"b": 1}], "row 1"),
        ([], "a table is"),
        (3, "a table is"),
    ],
)
def test_ragged_and_empty_tables_are_refused(table: Any, told: str) -> None:
    with pytest.raises(DataError, match=told):
        grid_of(table)


def test_a_ragged_file_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a,b\n1,2\n3\n")
    with pytest.raises(DataError, match=r"table\.csv, line 3: 1 cells where the header has 2"):
        grid_of(tmp_path / "table.csv")


def test_questions_about_tables_are_read_with_their_escapes(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text('"a","b"\n"say \\"hi\\"","x\\\\y"\n')
    head = "id\tutterance\tcontext\ttargetValue\n"
    (tmp_path / "asked.tsv").write_text(head + "1\twhat?\ttable.csv\tone|t\\pwo\n2\twho?\ttable.csv\tx\n")
    grid = Grid(("a", "b"), (('say "hi"', "x\\y"),))
    read = read_table_questions(tmp_path / "asked.tsv")
    assert read == [TableQuestion("what?", grid, ("one", "t|wo")), TableQuestion("who?", grid, ("x",))]
    (tmp_path / "asked.tsv").write_text(head + "1\twhat?\tother.csv\tx\n")
    with pytest.raises(DataError, match=r"line 2: the table other\.csv"):
        read_table_questions(tmp_path / "asked.tsv")


def test_a_data_frame_keeps_what_its_columns_hold() -> None:
    pd = pytest.importorskip("pandas")
    years = pd.array([2008, None, 2012], dtype="Int64")
    frame = pd.DataFrame({"year": [2008, 2010, 2012], "share": [0.5, float("nan"), 1.0], "votes": years})
    assert grid_of(frame) == Grid(
        ("year", "share", "votes"), (("2008", "0.5", "2008"), ("2010", "", ""), ("2012", "1.0", "2012"))
    )
    assert grid_of(frame[["year", "share"]]).rows[0] == ("2008", "0.5")
