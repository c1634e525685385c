"""The ONNX session: packed rows in, the graph's logits out, in any order and at any length."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from onnx import TensorProto

from gradatim.engine import onnx as engine
from gradatim.engine.onnx import OnnxSession, available_cores
from gradatim.errors import ArtifactError
from gradatim.types import Array

Build = Callable[..., bytes]


def packed(lengths: list[int], seed: int = 0) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    total = sum(lengths)
    return {
        "ids": rng.integers(0, 64, total),
        "segments": rng.integers(0, 2, total),
        "lengths": np.array(lengths, dtype=np.int64),
    }


def expected(arrays: dict[str, Array], weights: Array) -> Array:
    values = weights[arrays["ids"]] + arrays["segments"][:, None]
    rows = np.split(values, np.cumsum(arrays["lengths"])[:-1])
    return np.stack([row.mean(axis=0) for row in rows])


@pytest.mark.parametrize(
    "lengths", [[5], [1], [3, 3, 3], [7, 1, 13, 2, 11, 1], [2000, 3], [400] * 7 + [3] * 50]
)
def test_logits_are_those_of_each_row_alone(build_graph: Build, weights: Array, lengths: list[int]) -> None:
    arrays = packed(lengths)
    logits = OnnxSession(build_graph(), threads=1).run(arrays)["logits"]
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, expected(arrays, weights), atol=1e-5)


def test_calls_stay_within_the_token_budget(build_graph: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    session = OnnxSession(build_graph(), threads=1)
    shapes: list[tuple[int, ...]] = []
    call = session._call

    def spy(padded: dict[str, Array], lengths: Array) -> Array:
        shapes.append(padded["ids"].shape)
        return call(padded, lengths)

    monkeypatch.setattr(session, "_call", spy)
    lengths = np.random.default_rng(1).integers(1, 300, 500).tolist()
    session.run(packed([*lengths, 5000]))
    assert sum(rows for rows, _ in shapes) == 501
    assert all(rows * width <= engine.BATCH_TOKENS or rows == 1 for rows, width in shapes)
    # Sorted batches waste little: padding stays below a tenth of the tokens.
    assert sum(rows * width for rows, width in shapes) < 1.1 * (sum(lengths) + 5000)


def test_integer_type_and_segments_follow_the_graph(build_graph: Build, weights: Array) -> None:
    arrays = packed([4, 9, 2])
    narrow = OnnxSession(build_graph(integers=TensorProto.INT32), threads=1).run(arrays)["logits"]
    np.testing.assert_allclose(narrow, expected(arrays, weights), atol=1e-5)
    plain = OnnxSession(build_graph(segments=False), threads=1).run(arrays)["logits"]
    without = {**arrays, "segments": np.zeros_like(arrays["segments"])}
    np.testing.assert_allclose(plain, expected(without, weights), atol=1e-5)


def test_no_rows_give_no_logits(build_graph: Build) -> None:
    assert OnnxSession(build_graph(), threads=1).run(packed([]))["logits"].shape == (0, 2)


@pytest.mark.parametrize("content", [b"", b"not a graph", b"\x08\x07" * 40])
def test_bytes_that_are_no_graph_are_refused(content: bytes) -> None:
    with pytest.raises(ArtifactError, match=r"model\.onnx cannot be loaded"):
        OnnxSession(content)


def test_truncated_graph_is_refused(build_graph: Build) -> None:
    with pytest.raises(ArtifactError, match=r"model\.onnx"):
        OnnxSession(build_graph()[:-200])


def test_graph_of_other_inputs_is_refused(build_graph: Build) -> None:
    with pytest.raises(ArtifactError, match="input_ids"):
        OnnxSession(build_graph(ids="input_ids"))


def test_cores_are_those_of_the_container(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    monkeypatch.setattr(engine.os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    for quota, cores in [("200000 100000", 2), ("50000 100000", 1), ("max 100000", 64), ("nonsense", 64)]:
        monkeypatch.setattr(engine, "open", lambda *_, q=quota, **__: io.StringIO(q), raising=False)
        assert available_cores() == cores
