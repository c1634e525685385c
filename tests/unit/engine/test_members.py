"""Arrays in a file of a stranger: read are those that are named, and no more memory is taken than there are bytes."""

from __future__ import annotations

import io
import tracemalloc
import zipfile

import numpy as np
import pytest

from gradatim.engine.members import pack_arrays, unpack_arrays
from gradatim.errors import ArtifactError

NAMED = {"a": np.arange(6.0).reshape(2, 3), "b": np.arange(3)}
RANKS = {"a": 2, "b": 1}


def test_arrays_come_back_and_only_those_that_are_named() -> None:
    found = unpack_arrays(pack_arrays({**NAMED, "more": np.zeros(5)}), RANKS)
    assert set(found) == set(NAMED)
    for name, array in NAMED.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("named", [True, False])
def test_what_is_compressed_inside_is_not_unpacked(named: bool) -> None:
    stream = io.BytesIO()
    np.savez_compressed(stream, **{**NAMED, "b" if named else "more": np.zeros(4_000_000)})
    tracemalloc.start()
    with pytest.raises(ArtifactError, match="cannot be read"):
        unpack_arrays(stream.getvalue(), RANKS)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10e6


@pytest.mark.parametrize("rows", [10**9, 10**14, 10**17])
def test_a_header_that_states_more_than_there_is_is_refused(rows: int) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (rows,)})
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("b.npy", header.getvalue() + b"\0" * 64)
    with pytest.raises(ArtifactError, match="cannot be read"):
        unpack_arrays(stream.getvalue(), {"b": 1})
