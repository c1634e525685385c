"""The ONNX session: packed rows in, the graph's logits out, in any order and at any length."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto

from gradatim.engine import onnx as engine
from gradatim.engine.graph import OnnxGraph
from gradatim.engine.onnx import OnnxSession, cut
from gradatim.errors import ArtifactError
from gradatim.types import Array

Build = Callable[..., bytes]
START = 24.0  # what a call costs by itself, in tokens


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
    shapes: list[tuple[int, ...]] = []
    call = OnnxGraph.__call__

    def spy(graph: OnnxGraph, padded: dict[str, Array], lengths: Array) -> list[Array]:
        shapes.append(padded["ids"].shape)
        return call(graph, padded, lengths)

    monkeypatch.setattr(OnnxGraph, "__call__", spy)
    lengths = np.random.default_rng(1).integers(1, 300, 500).tolist()
    OnnxSession(build_graph(), threads=2).run(packed([*lengths, 5000]))
    assert sum(rows for rows, _ in shapes) == 501
    assert all(rows * width <= engine.CALL_TOKENS or rows == 1 for rows, width in shapes)
    # Sorted batches waste little: padding stays below a tenth of the tokens.
    assert sum(rows * width for rows, width in shapes) < 1.1 * (sum(lengths) + 5000)


@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=60).map(sorted),
    st.sampled_from([0, 1, 50, 500]),
)
def test_cuts_are_whole_within_budget_and_no_dearer_than_equal_ones(lengths: list[int], most: int) -> None:
    runs = cut(np.array(lengths), most, START)
    assert [row for first, last in runs for row in range(first, last)] == list(range(len(lengths)))
    assert all((last - first) * lengths[last - 1] <= most or last == first + 1 for first, last in runs)

    def cost(runs: list[tuple[int, int]]) -> int:
        return sum((last - first) * lengths[last - 1] + START for first, last in runs)

    for size in (1, 3, 8):
        equal = [(i, min(i + size, len(lengths))) for i in range(0, len(lengths), size)]
        if all((last - first) * lengths[last - 1] <= most for first, last in equal):
            assert cost(runs) <= cost(equal)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_session_serves_several_threads_at_once(build_graph: Build, weights: Array, threads: int) -> None:
    session = OnnxSession(build_graph(), threads=threads)
    batches = [packed([5, 30, 400] * 4 if i % 3 else [7], seed=i) for i in range(24)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(session.run, batches))
    for batch, answer in zip(batches, answers, strict=True):
        np.testing.assert_allclose(answer["logits"], expected(batch, weights), atol=1e-5)


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


def test_graph_with_an_input_that_nobody_gives_is_refused(build_graph: Build) -> None:
    model = onnx.load_model_from_string(build_graph())
    model.graph.input.append(onnx.helper.make_tensor_value_info("colours", onnx.TensorProto.INT64, ["rows"]))
    with pytest.raises(ArtifactError, match="colours"):
        OnnxSession(model.SerializeToString())
