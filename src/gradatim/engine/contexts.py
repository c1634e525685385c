"""The linear tagger: each word's features are looked up and their weights summed, in numpy alone."""

from __future__ import annotations

import numpy as np

from gradatim.engine.chain import log_marginals
from gradatim.engine.keys import places
from gradatim.engine.members import pack_arrays, unpack_arrays
from gradatim.errors import ArtifactError
from gradatim.types import Array, Arrays

_RANKS = {"keys": 1, "weights": 2, "bias": 1, "transitions": 2}


class ContextSession:
    """Logits of a word = the sum of the weights of those of its features that are known, plus bias.

    `keys` uint64 (features,) ascending, `weights` (features, tags), `bias` (tags,); with `transitions` (tags + 1,
    tags), which may have no rows, the logits are ln p of the tags in their sentence (`engine.chain`).
    """

    def __init__(self, keys: Array, weights: Array, bias: Array, transitions: Array) -> None:
        self.keys = np.ascontiguousarray(keys, dtype=np.uint64)
        self.bias, self.transitions = (np.asarray(array, dtype=np.float32) for array in (bias, transitions))
        tags = len(self.bias)
        if weights.shape != (len(self.keys), tags) or self.transitions.shape not in (
            (0, tags),
            (tags + 1, tags),
        ):
            raise ArtifactError(
                "the arrays of the linear tagger do not fit each other; make the artifact again"
            )
        # The last row is that of all features that are not known.
        self._rows = np.concatenate([weights, np.zeros((1, tags))], dtype=np.float32, casting="same_kind")

    @property
    def weights(self) -> Array:
        """(features, tags)."""
        return self._rows[:-1]

    @classmethod
    def from_npz(cls, data: bytes) -> ContextSession:
        """Read what `to_npz` wrote; raise ArtifactError for anything else."""
        arrays = unpack_arrays(data, _RANKS)
        return cls(*(arrays[name] for name in _RANKS))

    def to_npz(self) -> bytes:
        """The model as bytes, its weights rounded to float16."""
        arrays = {name: getattr(self, name) for name in _RANKS}
        return pack_arrays({**arrays, "weights": self.weights.astype(np.float16)})

    def run(self, arrays: Arrays) -> Arrays:
        """Take `keys` (words, features) and `lengths` (rows,), return `logits` (words, tags)."""
        found = places(self.keys, arrays["keys"])
        logits = np.zeros((len(found), len(self.bias)), dtype=np.float32)
        for column in found.T:  # not all features of all words at once
            logits += self._rows[column]
        logits += self.bias
        if len(self.transitions) and len(logits):
            logits = log_marginals(logits, arrays["lengths"], self.transitions)
        return {"logits": logits}
