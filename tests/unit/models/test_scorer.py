"""A causal model scores texts as the model's own logits say, in whatever batches and windows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from gradatim.checkpoint.config import ModelConfig
from gradatim.decode.search import Search
from gradatim.models import scorer
from gradatim.models.language import LanguageModel
from gradatim.models.presets import Sizes, gpt2, recurrent
from gradatim.models.scorer import TorchLanguage
from gradatim.nn.packed import Layout
from gradatim.pipelines import causal
from gradatim.pipelines.causal import CausalLanguage
from gradatim.pipelines.language import LanguagePipeline
from gradatim.text.tokenizer import preset, train_tokenizer

LINES = ["the cat sat on the mat", "a dog ran", "", "the zebra sat on the cat", "the " * 20]
TOKENIZER = train_tokenizer(LINES[:3], preset("word"), 50)
END = TOKENIZER.token_to_id("</s>")


def made(kind: str) -> LanguageModel:
    torch.manual_seed(0)
    size = TOKENIZER.get_vocab_size()
    bodies: dict[str, Any] = {
        "lstm": recurrent("lstm", vocab_size=size, width=8, hidden_width=8),
        "gpt2": gpt2(Sizes(vocab_size=size, num_layers=2, width=8, num_heads=2, ffn_width=16, max_length=8)),
    }
    model = ModelConfig(kind="causal", body=bodies[kind]).build().eval()
    assert isinstance(model, LanguageModel)
    return model


def pipeline(kind: str) -> LanguagePipeline:
    return LanguagePipeline(CausalLanguage(TorchLanguage(made(kind)), TOKENIZER.to_str(), end=END))


def expected(model: LanguageModel, ids: list[int]) -> float:
    with torch.no_grad():
        logits = model(torch.tensor(ids[:-1]), Layout.of([len(ids) - 1]))
    return float(logits.log_softmax(-1).gather(1, torch.tensor(ids[1:])[:, None]).sum())


@pytest.mark.parametrize("kind", ["lstm", "gpt2"])
@pytest.mark.parametrize("tokens", [8192, 5])
def test_every_text_alone(kind: str, tokens: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(causal, "MAX_TOKENS", tokens)
    monkeypatch.setattr(scorer, "CELLS", 60)
    found = pipeline(kind).score(LINES[:4])
    model = made(kind)
    for line, value in zip(LINES[:4], found.log_probs, strict=True):
        ids = [END, *TOKENIZER.encode(line).ids, END]
        assert value == pytest.approx(expected(model, ids), rel=1e-5)
    assert found.tokens.tolist() == [7, 4, 1, 7]
    assert found.unknown.tolist() == [0, 0, 0, 1]


def test_texts_that_are_carried_are_one() -> None:
    found = pipeline("lstm").score(LINES, carried=True)
    ids = [END, *(token for line in LINES for token in (*TOKENIZER.encode(line).ids, END))]
    assert found.log_probs.sum() == pytest.approx(expected(made("lstm"), ids), rel=1e-5)
    assert found.tokens.tolist() == pipeline("lstm").score(LINES).tokens.tolist()


def test_what_is_longer_than_the_model_is_read_in_windows() -> None:
    lm, model = pipeline("gpt2").model, made("gpt2")
    ids = np.array([END, *TOKENIZER.encode(LINES[4]).ids, END])  # 22 tokens; the model reads 8
    found = lm.log_probs(ids, np.array([len(ids)]))
    for token in range(1, len(ids)):
        # Windows of 8 move on by 4: the first scores 8 tokens, each after it 4.
        start = 0 if token <= 8 else 4 * ((token - 9) // 4 + 1)
        if start + 9 > len(ids):
            start = len(ids) - 9
        inside = ids[start : token + 1].tolist()
        with torch.no_grad():
            logits = model(torch.tensor(inside[:-1]), Layout.of([len(inside) - 1]))[-1]
        assert found[token] == pytest.approx(float(logits.log_softmax(-1)[inside[-1]]), abs=1e-5)


@pytest.mark.parametrize("kind", ["lstm", "gpt2"])
def test_new_text_follows_the_distribution(kind: str) -> None:
    lm = pipeline(kind)
    [[text]] = lm.generate(["the cat"], Search(end=END, max_length=4, no_repeat=1))
    assert text.startswith("the cat")
    ids = lm.model.encode([text])[0]
    for place in range(3, len(ids) - 1):
        with torch.no_grad():
            logits = made(kind)(torch.tensor(ids[:place]), Layout.of([place]))[-1]
        logits[[*ids[:place].tolist(), lm.model.unknown]] = -torch.inf
        assert int(logits.argmax()) == ids[place]
    drawn = Search(end=END, sample=True, seed=3, max_length=20)
    assert lm.generate(["the cat"], drawn) == lm.generate(["the cat"], drawn)
