"""Arrays in files: their room is taken before they are written."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from gradatim.text.space import Space


def test_an_array_in_a_file_is_zeros_that_can_be_written(tmp_path: Path) -> None:
    array = Space(tmp_path).zeros(1000, np.int32)
    assert not array.any()
    array[::3] = 7
    assert array.sum() == 7 * 334
    assert not list(tmp_path.iterdir())  # the file has no name


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="room cannot be taken beforehand here")
def test_a_disk_without_room_is_an_error_and_not_the_end_of_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted: list[int] = []

    def full(_file: int, _start: int, size: int) -> None:
        wanted.append(size)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        Space(tmp_path).zeros(1000, np.int32)
    assert wanted == [4000]
