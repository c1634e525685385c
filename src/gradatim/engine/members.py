"""Named arrays as the bytes of one npz file, written and read without pickle."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

import numpy as np

from gradatim.errors import ArtifactError
from gradatim.types import Array, Arrays

# What a damaged file may raise; a header that states a size that it has not, MemoryError.
_FAULTS = (ValueError, OSError, EOFError, KeyError, MemoryError, RuntimeError, zipfile.BadZipFile)


def pack_arrays(arrays: Arrays) -> bytes:
    """The arrays as an uncompressed npz file (the artifact around it compresses)."""
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **dict(arrays))
    return stream.getvalue()


def unpack_arrays(data: bytes, ranks: Mapping[str, int]) -> dict[str, Array]:
    """Read the arrays named in `ranks`, each with that many axes and finite numbers.

    Nothing else is read, and nothing that is compressed inside: so no more memory is taken than there are bytes.
    Raises ArtifactError when the bytes are no npz file, or an array is absent or of another rank.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.zip.infolist()):
                raise ValueError("its arrays are compressed")
            arrays = {name: archive[name] for name in ranks if name in archive.files}
    except _FAULTS as error:
        raise ArtifactError(f"model.npz cannot be read ({error}); make the artifact again") from None
    for name, rank in ranks.items():
        if name not in arrays or arrays[name].ndim != rank:
            raise ArtifactError(
                f"model.npz needs an array {name!r} with {rank} axes; make the artifact again"
            )
        if arrays[name].dtype.kind not in "fiu" or not np.isfinite(arrays[name]).all():
            raise ArtifactError(
                f"array {name!r} of model.npz does not hold finite numbers; make the artifact again"
            )
    return arrays
