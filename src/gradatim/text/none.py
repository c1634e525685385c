"""The encoder of a model that reads nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gradatim.types import Encoded


class NoEncoder:
    """One empty row per text: only `lengths` (rows,), all zero."""

    def encode(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> Encoded:
        """As many rows as there are texts."""
        return Encoded({"lengths": np.zeros(len(texts), dtype=np.int64)}, np.arange(len(texts)), len(texts))
