"""Hashed keys, ascending, and where some stand among them."""

from __future__ import annotations

import numpy as np

from gradatim.types import Array


def places(keys: Array, wanted: Array) -> Array:
    """Where each wanted key stands among `keys` (n,), ascending; n for what is none of them."""
    found: Array = np.searchsorted(keys, wanted)
    if len(keys):
        found[keys.take(found, mode="clip") != wanted] = len(keys)
    return found
