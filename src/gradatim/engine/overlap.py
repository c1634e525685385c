"""The session that knows only how rare words are: what of two texts has most of their words in common."""

from __future__ import annotations

import numpy as np

from gradatim.engine.keys import places
from gradatim.engine.members import pack_arrays, unpack_arrays
from gradatim.errors import ArtifactError
from gradatim.types import Array, Arrays

NEAR = 10  # words on both sides of an answer, among which those of the question count
NEVER = -100.0  # the logit of what is no answer
_RANKS = {"keys": 1, "weights": 1, "unseen": 0, "width": 0}


class OverlapSession:
    """Words weigh as much as they are rare: `keys` uint64 (words,) ascending, `weights` (words,), all others `unseen`.

    With a `width` an answer is so many words of the second text, those in whose neighbourhood words of the first weigh
    most, and which are none of them; its logits are (words, 2), of its first and of its last word. Without, the logit
    of a row is the share of its second text that the first has too, by weight.
    """

    def __init__(self, keys: Array, weights: Array, unseen: float, width: int) -> None:
        if len(keys) != len(weights):
            raise ArtifactError(
                f"{len(keys)} words and {len(weights)} weights do not fit; make the artifact again"
            )
        self.keys = np.ascontiguousarray(keys, dtype=np.uint64)
        self.weights = np.append(np.asarray(weights, dtype=np.float32), np.float32(unseen))
        self.width = int(width)

    @classmethod
    def from_npz(cls, data: bytes) -> OverlapSession:
        """Read what `to_npz` wrote; raise ArtifactError for anything else."""
        arrays = unpack_arrays(data, _RANKS)
        return cls(arrays["keys"], arrays["weights"], float(arrays["unseen"]), int(arrays["width"]))

    def to_npz(self) -> bytes:
        """The model as bytes."""
        known, unseen = self.weights[:-1], self.weights[-1]
        return pack_arrays(
            {"keys": self.keys, "weights": known, "unseen": np.array(unseen), "width": np.array(self.width)}
        )

    def run(self, arrays: Arrays) -> Arrays:
        """Take `ids`, `origins` (words,) and `lengths` (rows,), return `logits`."""
        ids, origins, lengths = (arrays[name] for name in ("ids", "origins", "lengths"))
        weights, ends = self.weights[places(self.keys, ids)].astype(np.float64), np.cumsum(lengths)
        logits = []
        for row in map(slice, ends - lengths, ends):
            first, second = origins[row] == 0, origins[row] == 1
            wanted, own = np.unique(ids[row][first], return_index=True), weights[row][second]
            shared = own * np.isin(ids[row][second], wanted[0])
            total = weights[row][first][wanted[1]].sum()
            logits.append(self._span(first, shared, total) if self.width else _share(shared, own))
        return {"logits": np.concatenate([np.zeros((0, 2 if self.width else 1)), *logits]).astype(np.float32)}

    def _span(self, first: Array, shared: Array, total: float) -> Array:
        """Logits of a mark, of the words of a question and of those of its context."""
        logits = np.full((1 + int(first.sum()) + len(shared), 2), NEVER)
        logits[0] = 0.0
        width = min(self.width, len(shared))
        if width:
            sums, start = np.append(0.0, np.cumsum(shared)), np.arange(len(shared) - width + 1)
            around = sums[np.minimum(start + width + NEAR, len(shared))] - sums[np.maximum(start - NEAR, 0)]
            score = around - 2 * (sums[start + width] - sums[start])
            best = int(score.argmax())
            own = len(logits) - len(shared) + best
            logits[own, 0], logits[own + width - 1, 1] = score[best] / max(total, 1e-9), 0.0
        return logits


def _share(shared: Array, own: Array) -> Array:
    return np.array([[shared.sum() / max(float(own.sum()), 1e-9)]])
