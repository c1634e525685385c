"""The systems that `benchmarks.encode` compares: one encoder, mean pooling and head, each at its best free setting.

Every system takes a list of texts and gives logits (texts, labels); a peer pads each list to its longest text, as
its documentation has it. `prepare` makes what a peer needs once, from one Hugging Face folder with `head.safetensors`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gradatim.ladder.goals import goal_of
from gradatim.types import Candidate, Corpus

MAX_LENGTH, CALIBRATION = 256, 300
INT8_TOLERANCE = 0.003  # of accuracy on dev
FIELDS = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
Logits = Callable[[list[str]], np.ndarray]
Opener = Callable[[Path, int], Logits]


def prepare(folder: Path, out: Path, corpus: Corpus) -> None:
    """The exported files of every system, for this model, which was trained on this corpus."""
    out.mkdir(parents=True, exist_ok=True)
    _gradatim_files(folder, out, corpus)
    _onnx_files(folder, out)
    if not (out / "ctranslate2").is_dir():
        from ctranslate2.converters import TransformersConverter

        TransformersConverter(str(folder)).convert(str(out / "ctranslate2"))
    _openvino_files(folder, out, corpus.train.texts)


def gradatim(name: str) -> Opener:
    def open_it(out: Path, threads: int) -> Logits:
        from gradatim.tasks.open import load

        return load(out / f"gradatim-{name}.gradatim", threads=threads).logits

    return open_it


def transformers(dtype: str) -> Opener:
    def open_it(out: Path, threads: int) -> Logits:
        import torch
        from transformers import AutoModel

        torch.set_num_threads(threads)
        tokenize, head = _tokenizer(out / "hf"), _Head(out / "hf")
        found: dict[float, Logits] = {}
        for attention in ("sdpa", "eager"):
            model = AutoModel.from_pretrained(
                out / "hf", dtype=getattr(torch, dtype), attn_implementation=attention
            ).eval()

            @torch.inference_mode()
            def logits(texts: list[str], model: Any = model) -> np.ndarray:
                inputs = tokenize(texts)
                states = model(
                    **{key: torch.from_numpy(value) for key, value in inputs.items()}
                ).last_hidden_state
                return head(states.float().numpy(), inputs["attention_mask"])

            found[_seconds(logits)] = logits
        return found[min(found)]

    return open_it


def sentence_transformers(dtype: str) -> Opener:
    def open_it(out: Path, threads: int) -> Logits:
        import torch
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.models import Pooling, Transformer

        torch.set_num_threads(threads)
        body = Transformer(
            str(out / "hf"), max_seq_length=MAX_LENGTH, model_args={"dtype": getattr(torch, dtype)}
        )
        model = SentenceTransformer(modules=[body, Pooling(body.get_embedding_dimension())], device="cpu")
        head = _Head(out / "hf")
        settings = {"batch_size": 32, "show_progress_bar": False, "convert_to_tensor": True}
        return lambda texts: head.pooled(model.encode(texts, **settings).float().numpy())

    return open_it


def onnxruntime(name: str) -> Opener:
    def open_it(out: Path, threads: int) -> Logits:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        session = ort.InferenceSession(out / f"onnx-{name}.onnx", options, providers=["CPUExecutionProvider"])
        tokenize, head = _tokenizer(out / "hf"), _Head(out / "hf")
        names = {node.name for node in session.get_inputs()}

        def logits(texts: list[str]) -> np.ndarray:
            inputs = tokenize(texts)
            states = session.run(None, {key: value for key, value in inputs.items() if key in names})[0]
            return head(states, inputs["attention_mask"])

        return logits

    return open_it


def ctranslate2(compute_type: str) -> Opener:
    def open_it(out: Path, threads: int) -> Logits:
        import ctranslate2 as ct2

        encoder = ct2.Encoder(
            str(out / "ctranslate2"), compute_type=compute_type, intra_threads=threads, inter_threads=1
        )
        tokenize, head = _tokenizer(out / "hf"), _Head(out / "hf")

        def logits(texts: list[str]) -> np.ndarray:
            inputs = tokenize(texts)
            lengths = inputs["attention_mask"].sum(1)
            rows = [row[:length].tolist() for row, length in zip(inputs["input_ids"], lengths, strict=True)]
            states = np.array(encoder.forward_batch(rows).last_hidden_state, dtype=np.float32)
            return head(states, inputs["attention_mask"])

        return logits

    return open_it


def openvino(name: str, precision: str) -> Opener:
    def open_it(out: Path, threads: int) -> Logits:
        import openvino as ov

        settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
        settings["INFERENCE_PRECISION_HINT"] = precision
        model = ov.Core().compile_model(str(out / f"openvino-{name}.xml"), "CPU", settings)
        request = model.create_infer_request()
        tokenize, head = _tokenizer(out / "hf"), _Head(out / "hf")
        names = {name for node in model.inputs for name in node.names}

        def logits(texts: list[str]) -> np.ndarray:
            inputs = tokenize(texts)
            request.infer({key: value for key, value in inputs.items() if key in names})
            return head(request.get_output_tensor(0).data, inputs["attention_mask"])

        return logits

    return open_it


SYSTEMS: dict[str, Opener] = {
    "gradatim fp32": gradatim("fp32"),
    "gradatim int8": gradatim("int8"),
    "transformers fp32": transformers("float32"),
    "transformers bf16": transformers("bfloat16"),
    "sentence-transformers fp32": sentence_transformers("float32"),
    "sentence-transformers bf16": sentence_transformers("bfloat16"),
    "onnxruntime fp32": onnxruntime("fp32"),
    "onnxruntime int8": onnxruntime("int8"),
    "ctranslate2 fp32": ctranslate2("float32"),
    "ctranslate2 int8": ctranslate2("int8_float32"),
    "openvino fp32": openvino("fp32", "f32"),
    "openvino bf16": openvino("fp32", "bf16"),
    "openvino int8": openvino("int8", "f32"),
}


def reference(out: Path, texts: Sequence[str]) -> np.ndarray:
    """Logits in float64, by transformers, one text at a time."""
    import torch
    from transformers import AutoModel

    model = AutoModel.from_pretrained(out / "hf", dtype=torch.float64, attn_implementation="eager").eval()
    tokenize, head = _tokenizer(out / "hf"), _Head(out / "hf")
    rows = []
    with torch.inference_mode():
        for text in texts:
            inputs = tokenize([text])
            tensors = {key: torch.from_numpy(value) for key, value in inputs.items()}
            rows.append(head(model(**tensors).last_hidden_state.numpy(), inputs["attention_mask"]))
    return np.concatenate(rows)


class _Head:
    """Mean pooling over the tokens of each text, and the linear head."""

    def __init__(self, folder: Path) -> None:
        from safetensors.numpy import load_file

        head = load_file(folder / "head.safetensors")
        self.weight, self.bias = head["linear.weight"].T, head["linear.bias"]

    def __call__(self, states: np.ndarray, mask: np.ndarray) -> np.ndarray:
        share = mask / mask.sum(1, keepdims=True)
        return self.pooled(np.matmul(share[:, None].astype(states.dtype), states)[:, 0])

    def pooled(self, vectors: np.ndarray) -> np.ndarray:
        return vectors @ self.weight + self.bias


def _tokenizer(folder: Path) -> Callable[[list[str]], dict[str, np.ndarray]]:
    """Padded arrays, by the tokenizers library itself: transformers' wrapper of it costs time and memory."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_LENGTH)
    tokenizer.enable_padding()

    def tokenize(texts: list[str]) -> dict[str, np.ndarray]:
        rows = tokenizer.encode_batch_fast(texts)
        return {
            name: np.array([getattr(row, field) for row in rows], dtype=np.int64)
            for name, field in FIELDS.items()
        }

    return tokenize


def _seconds(logits: Logits) -> float:
    texts = ["a film of some length, neither good nor bad, as it seems to me"] * 16
    logits(texts)
    began = time.perf_counter()
    logits(texts)
    return time.perf_counter() - began


def _gradatim_files(folder: Path, out: Path, corpus: Corpus) -> None:
    """The fp32 file, and what the ladder's int8 rung makes of it: it may lose so much and no more on dev."""
    if (out / "gradatim-int8.gradatim").is_file():
        return
    from gradatim.engine.artifact import write_artifact
    from gradatim.export.reader import to_onnx
    from gradatim.ladder.rung import Problem, Settings
    from gradatim.ladder.rungs.int8 import Int8Rung
    from gradatim.ladder.teacher import load_teacher
    from gradatim.tasks.open import load
    from gradatim.text.pieces import PieceEncoder

    model = load_teacher(folder)
    assert model is not None
    tokenizer = (folder / "tokenizer.json").read_text(encoding="utf-8")
    encoder = PieceEncoder(tokenizer, max_length=MAX_LENGTH, truncate=True)
    exact = out / "gradatim-fp32.gradatim"
    write_artifact(
        exact, kind="onnx", task=corpus.task, encoder=encoder.settings(),
        members={"model.onnx": to_onnx(model), "tokenizer.json": tokenizer.encode()},
    )  # fmt: skip
    right = (load(exact).logits(corpus.dev.texts).argmax(1) == corpus.dev.targets).mean()
    below = Candidate("gradatim", "finetuned", str(exact), 0, 0), float(right)
    problem = Problem(
        corpus,
        goal_of(corpus.task),
        out,
        out,
        "accuracy",
        settings=Settings(tolerance=INT8_TOLERANCE),
        below=(below,),
    )
    [rounded] = Int8Rung().fit(problem)
    print(*rounded.notes)


def _onnx_files(folder: Path, out: Path) -> None:
    """Exported by torch, fused by ONNX Runtime's optimiser for BERT, and that in dynamic int8."""
    if (out / "onnx-int8.onnx").is_file():
        return
    import onnx
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.transformers.optimizer import optimize_model
    from transformers import AutoModel

    model = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()

    class Plain(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, ids: torch.Tensor, mask: torch.Tensor, segments: torch.Tensor) -> torch.Tensor:
            states = self.model(input_ids=ids, attention_mask=mask, token_type_ids=segments)
            return states.last_hidden_state  # type: ignore[no-any-return]

    ids = torch.ones(2, 8, dtype=torch.long)
    plain = out / "onnx-plain.onnx"
    names = ["input_ids", "attention_mask", "token_type_ids"]
    with torch.inference_mode():
        torch.onnx.export(
            Plain(), (ids, ids, ids * 0), str(plain), input_names=names, output_names=["last_hidden_state"],
            dynamic_axes={key: {0: "rows", 1: "tokens"} for key in [*names, "last_hidden_state"]},
            opset_version=17, dynamo=False,
        )  # fmt: skip
    heads, width = model.config.num_attention_heads, model.config.hidden_size
    fused = optimize_model(str(plain), model_type="bert", num_heads=heads, hidden_size=width)
    fused.save_model_to_file(str(out / "onnx-fp32.onnx"))
    quantize_dynamic(
        out / "onnx-fp32.onnx", out / "onnx-int8.onnx", per_channel=True, weight_type=QuantType.QInt8,
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )  # fmt: skip


def _openvino_files(folder: Path, out: Path, texts: Sequence[str]) -> None:
    if (out / "openvino-int8.xml").is_file():
        return
    import nncf
    import openvino as ov

    model = ov.convert_model(str(out / "onnx-plain.onnx"))
    ov.save_model(model, str(out / "openvino-fp32.xml"), compress_to_fp16=False)
    tokenize = _tokenizer(folder)
    data = nncf.Dataset([tokenize([text]) for text in texts[:CALIBRATION]])
    small = nncf.quantize(model, data, model_type=nncf.ModelType.TRANSFORMER, subset_size=CALIBRATION)
    ov.save_model(small, str(out / "openvino-int8.xml"))
