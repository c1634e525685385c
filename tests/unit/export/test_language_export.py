"""An exported language model says what the torch model says: alone, carried, in pieces, and one token on."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

import gradatim
from gradatim.checkpoint.config import ModelConfig
from gradatim.checkpoint.folder import save_model
from gradatim.cli.lm import app
from gradatim.decode.search import Search
from gradatim.engine import language as engine
from gradatim.engine.artifact import read_artifact
from gradatim.engine.language import OnnxLanguage
from gradatim.errors import ArtifactError, ConfigError
from gradatim.export.language import to_onnx, write_language
from gradatim.models.language import LanguageModel
from gradatim.models.presets import Sizes, bert, gpt, gpt2, recurrent, t5, transformer
from gradatim.models.recurrent import WindowConfig
from gradatim.models.scorer import TorchLanguage
from gradatim.pipelines.causal import CausalLanguage
from gradatim.pipelines.language import LanguagePipeline
from gradatim.pipelines.open import load_language
from gradatim.text.tokenizer import preset, train_tokenizer
from gradatim.types import Array, Arrays, Candidates

LINES = ["the cat sat on the mat", "a dog ran", "", "the zebra sat on the cat", "the " * 20]
TOKENIZER = train_tokenizer(LINES[:3], preset("word"), 50)
END, SIZE = TOKENIZER.token_to_id("</s>"), TOKENIZER.get_vocab_size()
STEPPED: dict[str, dict[str, Any]] = {
    "lstm": {"num_layers": 2, "width": 8, "hidden_width": 12},
    "gru": {"width": 8, "hidden_width": 8},
    "rnn": {"num_layers": 2, "width": 8, "hidden_width": 4},
    "awd-lstm": {"width": 8, "hidden_width": 12},
}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


SIZES = Sizes(vocab_size=SIZE, num_layers=2, width=8, num_heads=2, ffn_width=16, max_length=8)
LONG = Sizes(vocab_size=SIZE, num_layers=2, width=8, num_heads=2, ffn_width=16, max_length=64)
BODIES: dict[str, Any] = {
    "window": WindowConfig(vocab_size=SIZE, width=8, hidden_width=8, context=3),
    "gpt2": gpt2(SIZES),
    "gpt": gpt(LONG),
    "long gpt2": gpt2(LONG),
    "distances": t5(SIZES, buckets=6, max_distance=9, causal=True),
    "scaled": transformer(LONG, causal=True),
    "rotary": gpt2(SIZES, rotary=True),
    "near": gpt2(LONG, window=3, rotary=True),
    "distances nearby": t5(SIZES, buckets=6, max_distance=9, causal=True, window=2),
}
KINDS = [*STEPPED, "untied", *BODIES]
SEARCHES = {
    "greedy": Search(end=END, max_length=30),
    "beams": Search(end=END, max_length=30, beams=3, best=2),
    "without repeats": Search(end=END, max_length=30, repetition=1.3, no_repeat=2),
    "drawn": Search(end=END, max_length=30, sample=True, top_k=5, top_p=0.9, temperature=0.8),
}
PROMPTS = ["a dog ran", "", "the cat sat on the mat the cat sat", "the cat"]


def made(kind: str) -> LanguageModel:
    torch.manual_seed(0)
    body: Any
    if kind in BODIES:
        body = BODIES[kind]
    else:
        body = recurrent(kind.replace("untied", "gru"), vocab_size=SIZE, **STEPPED.get(kind, STEPPED["gru"]))
    bias = {"tied": False, "bias": True, "scale": 0.5} if kind == "untied" else {}
    model = ModelConfig(kind="causal", body=body, **bias).build().eval()
    assert isinstance(model, LanguageModel)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.5)
    return model


def both(kind: str) -> tuple[LanguagePipeline, LanguagePipeline]:
    model = made(kind)
    longest = model.body.config.longest
    sessions = TorchLanguage(model), OnnxLanguage(to_onnx(model), longest=longest, threads=1)
    one, other = (LanguagePipeline(CausalLanguage(s, TOKENIZER.to_str(), end=END)) for s in sessions)
    return one, other


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cells", [1 << 23, 3 * SIZE])
@pytest.mark.parametrize("carried", [False, True])
def test_scores_are_those_of_torch(
    kind: str, cells: int, carried: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "CELLS", cells)
    torch_model, exported = both(kind)
    wanted, found = (model.score(LINES, carried=carried) for model in (torch_model, exported))
    np.testing.assert_allclose(found.log_probs, wanted.log_probs, rtol=1e-4)
    np.testing.assert_array_equal(found.unknown, wanted.unknown)


@pytest.mark.parametrize("kind", KINDS)
def test_texts_are_those_of_torch(kind: str) -> None:
    torch_model, exported = both(kind)
    for search in SEARCHES.values():
        wanted = torch_model.generate(PROMPTS, search)
        assert exported.generate(PROMPTS, search) == wanted
        if search.beams == 1:  # in pieces, and in whatever company
            assert ["".join(exported.stream(prompt, search)) for prompt in PROMPTS] == [
                row[0] for row in wanted
            ]


@pytest.mark.parametrize("kind", KINDS)
@given(
    lengths=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    steps=st.integers(1, 4),
    seed=st.integers(0, 9),
)
@settings(max_examples=5, deadline=None)
def test_a_token_at_a_time_is_all_at_once(kind: str, lengths: list[int], steps: int, seed: int) -> None:
    session, rng = exported(kind), np.random.default_rng(seed)
    rows = [rng.integers(0, SIZE, length) for length in lengths]
    found, state = session.begin(batch(rows), SIZE)
    for _ in range(steps):
        kept = rng.integers(0, len(rows), len(rows))
        more = rng.integers(0, SIZE, len(rows))
        rows = [np.append(rows[row], token) for row, token in zip(kept, more, strict=True)]
        found, state = session.advance(more, state.reorder(kept), SIZE)
    for number, row in enumerate(rows):
        alone, _ = session.begin(batch([row]), SIZE)
        same(alone, found, number)
        targets = np.full(len(row), -1)
        targets[-1] = alone.ids[0, 3]
        scores = session.log_probs(row, targets, np.array([len(row)]))
        assert scores[-1] == pytest.approx(alone.log_probs[0, 3], abs=1e-5)
        assert not scores[:-1].any()


@cache
def exported(kind: str) -> OnnxLanguage:
    model = made(kind)
    return OnnxLanguage(to_onnx(model), longest=model.body.config.longest, threads=1)


def batch(rows: list[Array]) -> Arrays:
    return {"ids": np.concatenate(rows), "lengths": np.array([len(row) for row in rows])}


def same(alone: Candidates, found: Candidates, number: int) -> None:
    """The scores of all tokens, in the order of tokens."""
    scores = [
        candidates.log_probs[row][np.argsort(candidates.ids[row])]
        for candidates, row in ((alone, 0), (found, number))
    ]
    np.testing.assert_allclose(*scores, atol=1e-5)


@pytest.mark.parametrize("kind", ["lstm", "gpt2"])
def test_a_file_runs_without_torch(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "lm.gradatim"
    write_language(path, made(kind), TOKENIZER.to_str(), end=END, provenance={})
    assert read_artifact(path).kind == "causal-onnx"
    program = (
        "import sys, gradatim; from gradatim.pipelines.open import load_language as load;"
        f"print(load({str(path)!r}).score(['a dog ran']).perplexity);"
        f"print(gradatim.pipeline('text-generation', {str(path)!r})('the cat', max_new_tokens=3));"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    perplexity, generated = done.stdout.splitlines()
    assert float(perplexity) == pytest.approx(both(kind)[0].score(["a dog ran"]).perplexity, rel=1e-4)
    assert generated.startswith("[{'generated_text': 'the cat")


def test_a_folder_becomes_a_file(tmp_path: Path) -> None:
    config = ModelConfig.of(made("lstm"), special={"eos": END})
    save_model(made("lstm"), tmp_path / "model", config=config)
    (tmp_path / "model" / "tokenizer.json").write_text(TOKENIZER.to_str())
    (tmp_path / "text.txt").write_text("the cat ran\n")
    folder, file, text = (str(tmp_path / name) for name in ("model", "lm.gradatim", "text.txt"))
    assert run("convert", folder, file).exit_code == 0
    one, other = (run("score", source, text, "--each").output for source in (folder, file))
    assert float(one.split("\t")[0]) == pytest.approx(float(other.split("\t")[0]), abs=1e-3)
    for source in (folder, file):
        assert isinstance(run("convert", source, str(tmp_path / "lm.arpa")).exception, ConfigError)


def test_generation_has_the_shapes_of_transformers(tmp_path: Path) -> None:
    path = tmp_path / "lm.gradatim"
    write_language(path, made("gru"), TOKENIZER.to_str(), end=END, provenance={})
    write = gradatim.pipeline("text-generation", path)
    one = write("the cat", max_new_tokens=4)
    assert one == write(["the cat"], max_new_tokens=4)[0]
    assert one == write("the cat", max_new_tokens=4, do_sample=False, temperature=3.0)
    several = write("the cat", max_new_tokens=4, do_sample=True, num_return_sequences=3, seed=1)
    assert len(several) == 3
    assert several[:2] == write("the cat", max_new_tokens=4, do_sample=True, num_return_sequences=2, seed=1)
    assert len(write(["the", "a"], num_beams=3, num_return_sequences=2, max_new_tokens=4)[1]) == 2
    assert "".join(write.stream("the cat", max_new_tokens=4)) == one[0]["generated_text"]
    rest = write("the cat", max_new_tokens=4, return_full_text=False)
    assert one[0]["generated_text"] == "the cat" + rest[0]["generated_text"]
    with pytest.raises(ConfigError, match="2 texts"):
        write("the cat", num_return_sequences=2, do_sample=False)
    assert len(write("the cat", num_return_sequences=2, max_length=9, truncation=True, pad_token_id=0)) == 2
    with pytest.raises(ConfigError, match="did you mean 'text-generation'"):
        gradatim.pipeline("text-generations", path)


def test_what_is_no_language_model_is_refused(tmp_path: Path) -> None:
    masked = ModelConfig(kind="masked", body=bert(SIZES)).build()
    assert isinstance(masked, LanguageModel)
    with pytest.raises(ConfigError, match="cannot be exported"):
        to_onnx(masked)
    odd = ModelConfig(kind="causal", body=bert(SIZES)).build()
    assert isinstance(odd, LanguageModel)
    with pytest.raises(ConfigError, match="both ways"):
        to_onnx(odd)
    with pytest.raises(ArtifactError, match="folder"):
        load_language(tmp_path)
    with pytest.raises(ArtifactError, match="no language model"):
        OnnxLanguage(b"nothing", longest=None)
