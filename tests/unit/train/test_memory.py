"""What a step frees is there for the next: no page is fetched from the operating system again."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

STEPS = """
import resource, torch
from gradatim.train.memory import keep_freed_memory
torch.set_num_threads(1)
if {keep}:
    keep_freed_memory()
for _ in range(4):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    tensors = [torch.ones(4_000_000) for _ in range(8)]  # 16 MB each
    del tensors
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(faults)
"""


def faults(keep: bool) -> int:
    # Fixed, large blocks always go back: glibc would otherwise move the threshold as it sees fit.
    program = [sys.executable, "-c", STEPS.format(keep=keep)]
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "131072"}
    return int(subprocess.run(program, env=environment, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to keep memory")
def test_freed_memory_is_used_again() -> None:
    assert faults(keep=True) < 200 < 10_000 < faults(keep=False)
