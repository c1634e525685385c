"""What this machine offers: its cores, and how its processor multiplies bytes."""

from __future__ import annotations

import os
import platform


def available_cores() -> int:
    """Cores this process may use: its CPU affinity, cut to the quota of its container."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        with open("/sys/fs/cgroup/cpu.max", encoding="ascii") as handle:
            quota, period = handle.read().split()
        return cores if quota == "max" else max(1, min(cores, round(int(quota) / int(period))))
    except (OSError, ValueError):  # no such control group here
        return cores


def name() -> str:
    """What the processor calls itself."""
    return _fields().get("model name") or platform.processor() or platform.machine()


def flags() -> frozenset[str]:
    """The instruction sets it says it has; none where the system does not tell."""
    return frozenset(_fields().get("flags", "").split())


def multiplies_bytes_exactly() -> bool:
    """Whether products of 8-bit numbers are summed in 32 bits: other x86 processors cut pairs of them off at 16.

    Where nothing is known of an x86 processor, no: 7 bits are coarser, but right on every one.
    """
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return True
    return bool(flags() & {"avx512_vnni", "avx_vnni"})


def _fields() -> dict[str, str]:
    """What Linux says of the first core."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as handle:
            first = handle.read().partition("\n\n")[0]
    except OSError:  # not Linux
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}
