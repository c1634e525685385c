"""Room for arrays: in memory, or as files mapped from a folder for what is larger than memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from gradatim.types import Array


class Space:
    """Makes arrays and says in which blocks to work on them, so that what is held at once is bounded.

    With a `folder` arrays are files there, without names, so that nothing stays behind however the
    process ends; the system writes them out when it needs the memory.
    """

    def __init__(self, folder: Path | None = None, block: int = 1 << 24) -> None:
        self.folder = folder
        self.block = block

    def zeros(self, size: int, dtype: npt.DTypeLike) -> Array:
        """An array of this many zeros; raises OSError where the folder has no room for it."""
        if self.folder is None or size == 0:
            return np.zeros(size, dtype=dtype)
        with tempfile.TemporaryFile(dir=self.folder) as file:
            # Else a full disk would end the process when the map is written.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size * np.dtype(dtype).itemsize)
            return self._mapped(file, dtype, size, "r+")

    def joined(self, parts: Iterable[Array], dtype: npt.DTypeLike) -> Array:
        """Parts of unknown number one after the other."""
        if self.folder is None:
            return np.concatenate([*parts, np.zeros(0, dtype)]).astype(dtype, copy=False)
        with tempfile.TemporaryFile(dir=self.folder) as file:
            for part in parts:
                part.astype(dtype, copy=False).tofile(file)
            size = file.tell() // np.dtype(dtype).itemsize
            return self._mapped(file, dtype, size, "r+") if size else np.zeros(0, dtype)

    def blocks(self, size: int) -> Iterator[slice]:
        """Slices of at most a block that cover `size` entries in order."""
        for start in range(0, size, self.block):
            yield slice(start, min(start + self.block, size))

    def map(self, function: Callable[..., Array], *arrays: Array, dtype: npt.DTypeLike) -> Array:
        """`function(*arrays)`, entry by entry, one block after the other."""
        result = self.zeros(len(arrays[0]), dtype)
        for block in self.blocks(len(result)):
            result[block] = function(*(array[block] for array in arrays))
        return result

    @staticmethod
    def _mapped(file: Any, dtype: npt.DTypeLike, size: int, mode: Literal["r+", "w+"]) -> Array:
        file.flush()
        return np.memmap(file, dtype=dtype, mode=mode, shape=(size,)).view(np.ndarray)


IN_MEMORY = Space()
