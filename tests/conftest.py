"""Tiny real parts for tests: a word-piece tokenizer, an ONNX graph, and an artifact of both."""

from __future__ import annotations

import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

from gradatim.engine.artifact import write_artifact
from gradatim.types import Task

# A busy machine is not a fault of the code.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# Shapes in signatures are executed; an int is a float here, as it is to the static checker.
install_import_hook(
    [f"gradatim.{room}" for room in ("nn", "models", "objectives", "checkpoint", "export", "train")],
    "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))",
)

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", "film", "not", "very", "the", "!", "."]
VOCABULARY = [*WORDS, *string.ascii_lowercase, *("##" + letter for letter in string.ascii_lowercase)]


@pytest.fixture(scope="session")
def tokenizer_json() -> str:
    """A `tokenizer.json` of the BERT family, with padding and truncation left on inside it."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer
    from tokenizers.processors import TemplateProcessing

    tokenizer = Tokenizer(WordPiece({word: i for i, word in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    tokenizer.enable_padding(length=24)
    tokenizer.enable_truncation(16)
    return tokenizer.to_str()


@pytest.fixture(scope="session")
def weights() -> np.ndarray:
    """The tiny model: a row of two logits per token of the vocabulary, float32."""
    return np.random.default_rng(0).normal(size=(len(VOCABULARY), 2)).astype(np.float32)


@pytest.fixture(scope="session")
def build_graph(weights: np.ndarray) -> Callable[..., bytes]:
    """Builds a graph whose logits are the mean over a row's tokens of `weights` plus their segment ids."""
    import onnx
    from onnx import TensorProto as T
    from onnx import helper as h
    from onnx import numpy_helper

    def build(*, integers: int = T.INT64, segments: bool = True, ids: str = "ids") -> bytes:
        rows = [h.make_tensor_value_info(ids, integers, ["B", "T"])]
        rows += [h.make_tensor_value_info("segments", integers, ["B", "T"])] * segments
        n = h.make_node
        nodes = [
            n("Gather", ["weights", ids], ["looked_up"]),
            n("Cast", ["segments" if segments else ids], ["as_float"], to=T.FLOAT),
            n("Mul", ["as_float", "one" if segments else "zero"], ["scaled"]),
            n("Unsqueeze", ["scaled", "last"], ["offset"]),
            n("Add", ["looked_up", "offset"], ["values"]),
            n("Shape", [ids], ["shape"]),
            n("Gather", ["shape", "index_one"], ["width"]),
            n("Range", ["start", "width", "step"], ["columns"]),
            n("Cast", ["lengths"], ["lengths_64"], to=T.INT64),
            n("Unsqueeze", ["lengths_64", "last"], ["limits"]),
            n("Less", ["columns", "limits"], ["inside"]),
            n("Cast", ["inside"], ["mask"], to=T.FLOAT),
            n("Unsqueeze", ["mask", "last"], ["mask_3"]),
            n("Mul", ["values", "mask_3"], ["kept"]),
            n("ReduceSum", ["kept", "axis_one"], ["sums"], keepdims=0),
            n("Cast", ["limits"], ["counts"], to=T.FLOAT),
            n("Div", ["sums", "counts"], ["logits"]),
        ]
        constants = {
            "weights": weights, "one": np.float32(1), "zero": np.float32(0), "last": np.array([-1]),
            "index_one": np.array(1), "start": np.array(0), "step": np.array(1), "axis_one": np.array([1]),
        }  # fmt: skip
        graph = h.make_graph(
            nodes,
            "tiny",
            [*rows, h.make_tensor_value_info("lengths", integers, ["B"])],
            [h.make_tensor_value_info("logits", T.FLOAT, ["B", 2])],
            [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
        )
        model = h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=9)
        onnx.checker.check_model(model)
        return model.SerializeToString()

    return build


@pytest.fixture
def tiny_artifact(tmp_path: Path, tokenizer_json: str, build_graph: Callable[..., bytes]) -> Path:
    """A complete neural `.gradatim` file of a few kilobytes, windows of 12 tokens."""
    path = tmp_path / "tiny.gradatim"
    write_artifact(
        path,
        kind="onnx",
        task=Task(("negative", "positive")),
        encoder={"kind": "pieces", "max_length": 12, "stride": 2, "truncate": False},
        members={"model.onnx": build_graph(), "tokenizer.json": tokenizer_json.encode()},
        card="# Tiny\n\nFor tests only.",
    )
    return path


@pytest.fixture(scope="session")
def same() -> Callable[[Any, Any], None]:
    """Asserts that two answers are equal in shape and words, and in numbers up to rounding."""
    return _same


def _same(mine: Any, known: Any) -> None:
    assert type(mine) is type(known)
    if isinstance(known, dict):
        assert list(mine) == list(known)
        for name in known:
            _same(mine[name], known[name])
    elif isinstance(known, list):
        assert len(mine) == len(known)
        for one, other in zip(mine, known, strict=True):
            _same(one, other)
    else:
        assert mine == (pytest.approx(known, abs=1e-5) if isinstance(known, float) else known)
