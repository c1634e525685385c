"""The session that knows only how frequent each label is."""

from __future__ import annotations

import numpy as np

from gradatim.engine.members import pack_arrays, unpack_arrays
from gradatim.types import Array, Arrays


class ConstantSession:
    """Answers every row with the same logits (labels,)."""

    def __init__(self, logits: Array) -> None:
        self.logits = np.asarray(logits, dtype=np.float32)

    @classmethod
    def from_npz(cls, data: bytes) -> ConstantSession:
        """Read what `to_npz` wrote; raise ArtifactError for anything else."""
        return cls(unpack_arrays(data, {"logits": 1})["logits"])

    def to_npz(self) -> bytes:
        """The model as bytes."""
        return pack_arrays({"logits": self.logits})

    def run(self, arrays: Arrays) -> Arrays:
        """Take `lengths` (rows,), return `logits` (rows, labels)."""
        return {"logits": np.tile(self.logits, (len(arrays["lengths"]), 1))}
