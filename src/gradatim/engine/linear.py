"""The linear model over TF-IDF features, in numpy alone."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from gradatim.engine.members import pack_arrays, unpack_arrays
from gradatim.errors import ArtifactError
from gradatim.types import Array, Arrays

Floats = npt.NDArray[np.float32]


class TfIdf:
    """Feature keys to weighted sparse rows: (1 + log tf) * idf, each block scaled to length 1.

    `keys` uint64 (features,) ascending, `idf` float32 (features,). The two highest bits of a key
    name its block (Salton & Buckley 1988 for the weighting). A text of which nothing is known is a
    row without entries.
    """

    def __init__(self, keys: Array, idf: Array) -> None:
        self.keys = np.ascontiguousarray(keys, dtype=np.uint64)
        self.idf = np.ascontiguousarray(idf, dtype=np.float32)
        self.blocks = np.searchsorted(self.keys, np.arange(1, 4, dtype=np.uint64) << np.uint64(62))

    def row(self, keys: Array) -> tuple[npt.NDArray[np.int64], Floats]:
        """Feature numbers (ascending) and values of one text, given its keys in any order."""
        if not len(keys) or not len(self.keys):
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
        keys = np.sort(keys)
        first = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
        distinct = keys[first]
        found = np.searchsorted(self.keys, distinct)
        known = self.keys.take(found, mode="clip") == distinct
        index = found[known]
        counts = np.diff(first, append=len(keys))[known]
        values = (1 + np.log(counts.astype(np.float32))) * self.idf[index]
        edges = [0, *np.searchsorted(index, self.blocks).tolist(), len(index)]
        for start, end in pairwise(edges):
            if start < end:
                block = values[start:end]
                block /= np.sqrt(block @ block)
        return index, values


class LinearSession:
    """Logits = TF-IDF row times weights plus bias.

    `keys` and `idf` as in `TfIdf`; `weights` (features, labels) and `bias` (labels,), float32 or float16.
    """

    def __init__(self, keys: Array, idf: Array, weights: Array, bias: Array) -> None:
        self.features = TfIdf(keys, idf)
        self.weights = np.ascontiguousarray(weights, dtype=np.float32)
        self.bias = np.asarray(bias, dtype=np.float32)
        sizes = {len(self.features.keys), len(self.features.idf), len(self.weights)}
        if len(sizes) > 1 or self.weights.shape[1:] != self.bias.shape:
            raise ArtifactError(
                "the arrays of the linear model do not fit each other; make the artifact again"
            )

    @classmethod
    def from_npz(cls, data: bytes) -> LinearSession:
        """Read what `to_npz` wrote; raise ArtifactError for anything else."""
        arrays = unpack_arrays(data, {"keys": 1, "idf": 1, "weights": 2, "bias": 1})
        return cls(arrays["keys"], arrays["idf"], arrays["weights"], arrays["bias"])

    def to_npz(self) -> bytes:
        """The model as bytes, its weights rounded to float16."""
        small = {"idf": self.features.idf, "weights": self.weights}
        halves = {name: array.astype(np.float16) for name, array in small.items()}
        return pack_arrays({"keys": self.features.keys, "bias": self.bias, **halves})

    def run(self, arrays: Arrays) -> Arrays:
        """Take `keys` (flat) and `lengths` (rows,), return `logits` (rows, labels)."""
        ends = np.cumsum(arrays["lengths"])
        logits = np.empty((len(ends), len(self.bias)), dtype=np.float32)
        start = 0
        for row, end in enumerate(ends.tolist()):
            index, values = self.features.row(arrays["keys"][start:end])
            logits[row] = values @ self.weights[index] + self.bias
            start = end
        return {"logits": logits}
