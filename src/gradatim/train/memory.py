"""Memory that a training step frees stays with the process for the next step."""

from __future__ import annotations

import ctypes
import functools
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # the parameters of mallopt(3)


@functools.cache
def keep_freed_memory() -> None:
    """Tell glibc not to give memory back to the operating system, which would clear every page of it again.

    Every step frees and asks for the same large tensors: on long texts a third of the time went into fresh
    pages. Other C libraries are left as they are.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(MMAP_THRESHOLD, 2**25)  # the most that glibc allows
        mallopt(TRIM_THRESHOLD, 2**31 - 1)
