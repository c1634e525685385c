"""What a machine offers is read off right, and nothing is promised of one that does not tell."""

from __future__ import annotations

import io

import pytest

from gradatim.engine import processor


@pytest.mark.parametrize(
    ("machine", "flags", "exact"),
    [
        ("x86_64", "flags : sse4_2 avx2", False), ("x86_64", "flags : avx2 avx_vnni", True),
        ("AMD64", "flags : avx512f avx512_vnni", True), ("aarch64", "", True), ("x86_64", "", False),
    ],
)  # fmt: skip
def test_processors_that_cut_sums_off_are_known(
    monkeypatch: pytest.MonkeyPatch, machine: str, flags: str, exact: bool
) -> None:
    monkeypatch.setattr(processor.platform, "machine", lambda: machine)
    monkeypatch.setattr(processor, "open", lambda *_, **__: io.StringIO(flags), raising=False)
    assert processor.multiplies_bytes_exactly() == exact


def test_cores_are_those_of_the_container(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor.os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    for quota, cores in [("200000 100000", 2), ("50000 100000", 1), ("max 100000", 64), ("nonsense", 64)]:
        monkeypatch.setattr(processor, "open", lambda *_, q=quota, **__: io.StringIO(q), raising=False)
        assert processor.available_cores() == cores
