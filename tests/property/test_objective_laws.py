"""Laws of every objective: splitting a batch changes neither a draw nor a gradient; nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from gradatim.models.backbone import Backbone
from gradatim.models.classifier import Classifier, Tagger
from gradatim.models.heads import LanguageHead, MaskedHead, RowHead
from gradatim.models.inputs import PackedTexts
from gradatim.models.language import LanguageModel, Seq2Seq
from gradatim.models.presets import Sizes, bert, decoder, gpt, t5
from gradatim.objectives.base import Objective, totals
from gradatim.objectives.causal import CausalLanguage
from gradatim.objectives.choice import Choice
from gradatim.objectives.classification import Classification
from gradatim.objectives.corruption import SpanCorruption
from gradatim.objectives.distillation import Distillation
from gradatim.objectives.draws import partition, uniform
from gradatim.objectives.masked import MaskedLanguage, Masking
from gradatim.objectives.match import Match
from gradatim.objectives.next_sentence import NextSentence
from gradatim.objectives.regression import Regression
from gradatim.objectives.seq2seq import SequenceToSequence
from gradatim.objectives.span import Span
from gradatim.objectives.tagging import Tagging
from gradatim.objectives.words import WordScored
from gradatim.types import Encoded

VOCABULARY, WIDTH, TEXTS = 61, 6, 8
SIZES = Sizes(vocab_size=VOCABULARY, num_layers=1, width=WIDTH, num_heads=2, ffn_width=7, max_length=40)
MASKING = Masking(mask_id=4, vocab_size=VOCABULARY)
Pair = tuple[Objective[Any], nn.Module]


def texts(seed: int = 0) -> PackedTexts:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(4, 14, TEXTS)
    arrays = {"ids": rng.integers(5, 50, lengths.sum()), "lengths": lengths}
    return PackedTexts(Encoded(arrays, np.arange(TEXTS), TEXTS))


def masked_model() -> LanguageModel:
    body = Backbone(bert(SIZES))
    return LanguageModel(body, MaskedHead(body.embedding.words), RowHead(WIDTH, 2, inner="tanh"))


def next_sentence() -> NextSentence:
    documents = np.array([0, 0, 0, 1, 1, 1, 2, 2])
    return NextSentence(texts(), documents, MASKING, length=29, first_id=2, between_id=3)


def classifier(outputs: int = 3) -> Classifier:
    return Classifier(Backbone(bert(SIZES)), WIDTH, outputs)


def distilled(objective: Any, student: nn.Module, teacher: nn.Module) -> Pair:
    match = Match(hard=0.3, cosine=1.0, hidden=1.0, attention=1.0, layers=(0,))
    return Distillation(objective, match, teacher=teacher), student


def causal() -> Pair:
    body = Backbone(gpt(SIZES))
    return CausalLanguage(texts(), 5), LanguageModel(body, LanguageHead(WIDTH, VOCABULARY))


def tagging() -> Pair:
    rng = np.random.default_rng(0)
    words = np.sort(rng.integers(-1, 30, len(texts().ids)))
    return Tagging(texts(), words, rng.integers(0, 3, 30)), Tagger(Backbone(bert(SIZES)), WIDTH, 3)


def seq2seq() -> Seq2Seq:
    return Seq2Seq(t5(SIZES), decoder(t5(SIZES)))


def some_labels() -> Classification:
    return Classification(texts(), np.array([0, 2, 1, 1, 0]))  # the last three are unlabelled


MULTI = np.array([[1, 0, 1]] * 5 + [[0, 1, 1]] * 3, np.float32)
MAKERS: dict[str, Callable[[], Pair]] = {
    "classification": lambda: (some_labels(), classifier()),
    "multi-label": lambda: (Classification(texts(), MULTI, smoothing=0.1), classifier()),
    "regression": lambda: (Regression(texts(), np.arange(8.0)), classifier(1)),
    "tagging": tagging,
    "span": lambda: (Span(texts(), np.array([[1, 3]] * 8)), Tagger(Backbone(bert(SIZES)), WIDTH, 2)),
    "choice": lambda: (Choice(texts(), np.array([3, 2, 2, 1]), np.array([2, 0, 1, 0])), classifier(1)),
    "causal": causal,
    "masked": lambda: (MaskedLanguage(texts(), MASKING), masked_model()),
    "next sentence": lambda: (next_sentence(), masked_model()),
    "seq2seq": lambda: (SequenceToSequence(texts(), texts(1), start_id=0, smoothing=0.1), seq2seq()),
    "corruption": lambda: (SpanCorruption(texts(), 20, sentinel_id=60), seq2seq()),
    "distilled classes": lambda: distilled(some_labels(), classifier(), classifier()),
    "distilled pretraining": lambda: distilled(next_sentence(), masked_model(), masked_model()),
    "distilled seq2seq": lambda: distilled(SpanCorruption(texts(), 20, sentinel_id=60), seq2seq(), seq2seq()),
}


@pytest.mark.parametrize("name", MAKERS)
def test_micro_batches_are_one_batch(name: str) -> None:
    torch.manual_seed(0)
    objective, net = MAKERS[name]()
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.5)
    net.eval()
    rows = np.random.default_rng(1).permutation(len(objective.sizes))

    def gradients() -> list[torch.Tensor]:
        found = [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in net.parameters()]
        net.zero_grad()
        return found

    whole = objective.loss(net, objective.collate(rows, 5))
    whole.value.backward()
    wanted = gradients()
    batches = [objective.collate(part, 5) for part in np.array_split(rows, 3)]
    sums = totals(batches)
    assert {part: sums[part] for part in whole.counts} == whole.counts
    losses = [objective.loss(net, batch) for batch in batches]
    shares = [loss.share(sums) for loss in losses]
    for share in shares:
        share.backward()
    torch.testing.assert_close(torch.stack(shares).sum(), whole.value, atol=1e-5, rtol=1e-4)
    for ours, theirs in zip(gradients(), wanted, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-3)
    if len(whole.means) == 1:  # the simpler way, where there is one part
        by_weight = sum(loss.value * loss.weight for loss in losses) / sum(loss.weight for loss in losses)
        torch.testing.assert_close(by_weight, whole.value, atol=1e-5, rtol=1e-4)
    assert isinstance(objective, Objective)


@pytest.mark.parametrize("name", ["masked", "next sentence", "corruption"])
@given(rows=st.permutations(range(3)), seed=st.integers(0, 2**40))
@settings(max_examples=20, deadline=None)
def test_what_an_example_draws_does_not_depend_on_its_batch(name: str, rows: list[int], seed: int) -> None:
    objective = MAKERS[name]()[0]
    together = objective.collate(np.array(rows), seed)
    alone = [objective.collate(np.array([row]), seed) for row in rows]
    own = slice(together.inputs.num_tokens)
    joined = torch.cat([batch.inputs.ids[: batch.inputs.num_tokens] for batch in alone])
    assert torch.equal(together.inputs.ids[own], joined)
    for part, targets in together.targets.items():
        assert torch.equal(targets, torch.cat([batch.targets[part] for batch in alone]))


@given(
    lengths=st.lists(st.integers(2, 60), min_size=1, max_size=6),
    length=st.integers(2, 40),
    share=st.floats(0.05, 0.6),
    mean_span=st.floats(1.0, 6.0),
    seed=st.integers(0, 99),
)
@settings(deadline=None)
def test_sentinels_put_the_spans_back(
    lengths: list[int], length: int, share: float, mean_span: float, seed: int
) -> None:
    sizes = np.array(lengths)
    ids = np.random.default_rng(seed).integers(5, 100, sizes.sum())
    packed = PackedTexts(Encoded({"ids": ids, "lengths": sizes}, np.arange(len(sizes)), len(sizes)))
    objective = SpanCorruption(packed, length, sentinel_id=299, share=share, mean_span=mean_span)
    rows = np.arange(len(objective.sizes))
    batch = objective.collate(rows, seed)
    assert batch.decoder is not None
    sources = np.split(batch.inputs.ids.numpy(), np.cumsum(batch.inputs.layout.lengths.numpy())[:-1])
    targets = np.split(batch.targets["target"].numpy(), np.cumsum(batch.decoder.layout.lengths.numpy())[:-1])
    for row, source, target in zip(rows, sources, targets, strict=True):
        assert source[-1] == target[-1] == 1
        assert len(source) + len(target) == objective.sizes[row]
        sentinels = np.flatnonzero(target >= 200)
        assert target[sentinels].tolist() == (299 - np.arange(len(sentinels))).tolist()
        spans = dict(zip(target[sentinels].tolist(), np.split(target[:-1], sentinels[1:]), strict=True))
        assert all(len(span) > 1 for span in spans.values())
        whole = [i for token in source[:-1].tolist() for i in (spans[token][1:] if token >= 200 else [token])]
        start = objective.starts[row]
        assert whole == ids[start : start + objective.lengths[row]].tolist()


@given(data=st.data())
@settings(deadline=None)
def test_a_partition_has_all_its_parts_and_its_total(data: st.DataObject) -> None:
    wholes = data.draw(st.lists(st.integers(1, 30), min_size=1, max_size=6))
    counts = [data.draw(st.integers(1, whole)) for whole in wholes]
    parts = partition(
        np.array(wholes), np.array(counts), np.arange(len(wholes)), data.draw(st.integers(0, 99))
    )
    assert parts.min() >= 1
    split = np.split(parts, np.cumsum(counts)[:-1])
    assert [part.sum() for part in split] == wholes


def test_all_partitions_are_equally_likely() -> None:
    many = 30_000
    ones = np.ones(many, np.int64)
    parts = partition(5 * ones, 3 * ones, np.arange(many), 7).reshape(many, 3)
    kinds, counts = np.unique(parts, axis=0, return_counts=True)
    assert len(kinds) == 6  # (4 choose 2)
    assert counts / many == pytest.approx(np.full(6, 1 / 6), abs=0.01)


def test_draws_are_uniform_and_independent_of_their_neighbours() -> None:
    for keys in ((3, np.arange(100_000)), (3, 5, np.arange(100_000)), (np.arange(100_000), 3)):
        u = uniform(*keys)
        assert np.histogram(u, 20, (0, 1))[0] == pytest.approx(np.full(20, 5000), rel=0.07)
        assert abs(np.corrcoef(u[1:], u[:-1])[0, 1]) < 0.01
    grid = uniform(1, np.arange(300)[:, None], np.arange(300))
    assert len(np.unique(grid)) > 89_980  # one pair in 2^32 meets
    assert abs(np.corrcoef(grid.ravel(), grid.T.ravel())[0, 1]) < 0.02


@pytest.mark.parametrize("make", ["next sentence", "causal", "seq2seq"])
def test_words_are_imitated_as_their_logits_are(make: str) -> None:
    torch.manual_seed(0)
    objective, student = MAKERS[make]()
    _, teacher = MAKERS[make]()
    for net in (student, teacher):
        for parameter in net.parameters():
            nn.init.normal_(parameter, std=0.3)
        net.eval()
    assert isinstance(objective, WordScored)
    wrapped = Distillation(objective, Match(temperature=2.0, soft=0.7, hard=0.2), teacher=teacher)
    batch = wrapped.collate(np.arange(len(objective.sizes)))
    own, wanted = (objective.logits(net, batch) for net in (student, teacher))
    means = [0.2 * mean for mean in objective.judge(own, batch).means.values()]
    means += [0.7 * objective.imitation(own[name], wanted[name], 2.0) / len(own[name]) for name in own]
    torch.testing.assert_close(wrapped.loss(student, batch).value, torch.stack(means).sum())
