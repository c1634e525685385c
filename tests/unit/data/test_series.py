"""Series: which file of a folder is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradatim.data.series import load_series
from gradatim.errors import DataError


@pytest.mark.parametrize("files", [0, 2])
def test_a_folder_of_no_or_several_files_is_refused(tmp_path: Path, files: int) -> None:
    for i in range(files):
        (tmp_path / f"{i}.csv").write_text("day,value\na,1\nb,2\n")
    with pytest.raises(DataError, match=f"{files} files"):
        load_series(str(tmp_path))


def test_the_one_file_of_a_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "only.csv").write_text("day,value\na,1\nb,2\n")
    assert load_series(str(tmp_path)).values.tolist() == [1, 2]
