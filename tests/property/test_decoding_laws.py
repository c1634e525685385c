"""A token at a time is all tokens at once, for every axis of the block; rows do not see each other."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gradatim.models.backbone import Backbone, BackboneConfig
from gradatim.models.convolutional import ConvolutionalConfig, ConvolutionalSeq2Seq
from gradatim.models.heads import LanguageHead
from gradatim.models.language import LanguageModel, Seq2Seq
from gradatim.models.presets import Sizes, decoder, gpt, gpt2, marian, t5, transformer
from gradatim.nn.packed import Layout

VOCABULARY, WIDTH = 23, 12
SIZES = Sizes(vocab_size=VOCABULARY, num_layers=2, width=WIDTH, num_heads=2, ffn_width=11, max_length=19)
lengths_of = st.lists(st.integers(1, 7), min_size=1, max_size=4)

CAUSAL = {
    "gpt": gpt(SIZES),
    "gpt2": gpt2(SIZES),
    "rotary": gpt2(SIZES, rotary=True),
    "window": gpt2(SIZES, window=2),
    "distances": t5(SIZES, buckets=6, max_distance=5, causal=True),
    "gated": t5(SIZES, gated=True, activation="gelu_tanh", causal=True),
}
PAIRED = {
    "transformer": transformer(SIZES),
    "pre-norm": transformer(SIZES, norm_order="pre"),
    "marian": marian(SIZES),
    "t5": t5(SIZES, buckets=6, max_distance=5),
}


def shaken(model: Any) -> Any:
    """Weights that matter: of the usual start, most tokens look alike."""
    torch.manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model.eval()


def language_model(config: BackboneConfig) -> LanguageModel:
    body = Backbone(config)
    return shaken(LanguageModel(body, LanguageHead(WIDTH, VOCABULARY, words=body.embedding.words)))


def draw(lengths: list[int], seed: int = 0) -> Tensor:
    return torch.randint(VOCABULARY, (sum(lengths),), generator=torch.Generator().manual_seed(seed))


def close(a: Tensor, b: Tensor) -> None:
    torch.testing.assert_close(a, b, atol=2e-5, rtol=1e-4)


MODELS = {name: language_model(config) for name, config in CAUSAL.items()}
PAIRS = {name: shaken(Seq2Seq(config, decoder(config))) for name, config in PAIRED.items()}
for kernel in (2, 3):
    config = ConvolutionalConfig(
        vocab_size=VOCABULARY, width=WIDTH, num_layers=kernel, kernel=kernel, max_length=19
    )
    PAIRS[f"convolutional {kernel}"] = shaken(ConvolutionalSeq2Seq(config, config.decoder()))


@pytest.mark.parametrize("name", MODELS)
@given(lengths=lengths_of, steps=st.integers(1, 8), seed=st.integers(0, 9))
@settings(max_examples=15, deadline=None)
@torch.no_grad()
def test_cached_is_uncached(name: str, lengths: list[int], steps: int, seed: int) -> None:
    model = MODELS[name]
    prompts = draw(lengths, seed).split(lengths)
    more = draw([len(lengths) * steps], seed + 1).view(steps, -1)
    logits, state = model.begin(torch.cat(prompts), Layout.of(lengths))
    for step in range(steps):
        logits = model.advance(more[step], state)
    grown = [torch.cat([row, more[:, i]]) for i, row in enumerate(prompts)]
    whole = [model(row, Layout.of([len(row)]))[-1] for row in grown]
    close(logits, torch.stack(whole))


@pytest.mark.parametrize("name", PAIRS)
@given(sources=lengths_of, seed=st.integers(0, 9), data=st.data())
@settings(max_examples=15, deadline=None)
@torch.no_grad()
def test_a_pair_read_in_any_company_or_step_by_step_is_the_same(
    name: str, sources: list[int], seed: int, data: st.DataObject
) -> None:
    model = PAIRS[name]
    targets = [data.draw(st.integers(1, 6)) for _ in sources]
    source, target = draw(sources, seed).split(sources), draw(targets, seed + 1).split(targets)
    together = model(torch.cat(source), Layout.of(sources), torch.cat(target), Layout.of(targets))
    for i, logits in enumerate(together.split(targets)):
        here, there = Layout.of([sources[i]]), Layout.of([targets[i]])
        close(logits, model(source[i], here, target[i], there))
        state = model.begin(source[i], here)
        close(logits, torch.cat([model.advance(token[None], state) for token in target[i]]))


@pytest.mark.parametrize("name", [*MODELS, *PAIRS])
@given(lengths=lengths_of, seed=st.integers(0, 99))
@settings(max_examples=15, deadline=None)
@torch.no_grad()
def test_a_reordered_state_goes_on_from_the_chosen_rows(name: str, lengths: list[int], seed: int) -> None:
    chosen = torch.randint(len(lengths), (5,), generator=torch.Generator().manual_seed(seed))
    ids = draw([len(lengths)], seed)
    if name in PAIRS:
        model, state = PAIRS[name], PAIRS[name].begin(draw(lengths), Layout.of(lengths))
    else:
        model, (_, state) = MODELS[name], MODELS[name].begin(draw(lengths), Layout.of(lengths))
    picked = state.reorder(chosen)
    before = model.advance(ids[chosen], picked)
    close(before, model.advance(ids, state)[chosen])


@given(lengths=lengths_of, seed=st.integers(0, 9))
@settings(max_examples=15, deadline=None)
@torch.no_grad()
def test_a_causal_model_does_not_see_what_comes_after(lengths: list[int], seed: int) -> None:
    ids, changed = draw(lengths, seed), draw(lengths, seed)
    layout = Layout.of(lengths)
    last = layout.offsets + layout.lengths - 1
    changed[last] = (changed[last] + 1) % VOCABULARY
    before = torch.ones(len(ids), dtype=torch.bool).index_fill(0, last, False)
    for model in MODELS.values():
        close(model(ids, layout)[before], model(changed, layout)[before])
