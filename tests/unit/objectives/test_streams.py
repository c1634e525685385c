"""Streams: every token is predicted once an epoch, in order, from all that was before it."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gradatim.checkpoint.config import ModelConfig
from gradatim.errors import ConfigError
from gradatim.models.inputs import PackedTexts
from gradatim.models.language import LanguageModel
from gradatim.models.presets import recurrent
from gradatim.models.recurrent import WindowConfig
from gradatim.nn.packed import Layout
from gradatim.objectives.streams import StreamedLanguage
from gradatim.types import Encoded

VOCABULARY, END = 11, 10


def texts(sizes: tuple[int, ...] = (5, 0, 17, 8, 30)) -> PackedTexts:
    ids = np.random.default_rng(0).integers(0, END, sum(sizes))
    return PackedTexts(Encoded({"ids": ids, "lengths": np.array(sizes)}, np.arange(len(sizes)), len(sizes)))


def model(window: bool = False) -> LanguageModel:
    torch.manual_seed(0)
    sizes = {"vocab_size": VOCABULARY, "width": 6, "hidden_width": 6}
    body = WindowConfig(**sizes, context=3) if window else recurrent("lstm", num_layers=2, **sizes)
    built = ModelConfig(kind="causal", body=body).build().eval()
    assert isinstance(built, LanguageModel)
    return built


@pytest.mark.parametrize("streams", [1, 3, 7])
@pytest.mark.parametrize("shifted", [False, True])
def test_an_epoch_predicts_every_token_once(streams: int, shifted: bool) -> None:
    objective = StreamedLanguage(texts(), 4, num_streams=streams, end_id=END, shifted=shifted)
    batches, begins = objective.plan(2.0)
    assert begins == [0, len(batches) // 2]
    for epoch in range(2):
        read: dict[int, list[int]] = {}
        targets: dict[int, list[int]] = {}
        for rows in batches[begins[epoch] :][: begins[1]]:
            batch = objective.collate(rows)
            sizes = batch.inputs.layout.sizes.tolist()
            for stream, ids, following in zip(
                rows % streams, batch.inputs.ids.split(sizes), batch.targets["next"].split(sizes), strict=True
            ):
                read.setdefault(int(stream), []).extend(ids.tolist())
                targets.setdefault(int(stream), []).extend(following.tolist())
        ids = objective.ids.tolist()
        assert list(chain.from_iterable(read[s] for s in range(streams))) == ids[:-1]
        assert list(chain.from_iterable(targets[s] for s in range(streams))) == ids[1:]


def test_cuts_move_from_epoch_to_epoch_if_wanted() -> None:
    objective = StreamedLanguage(texts(), 6, num_streams=2, end_id=END, shifted=True)
    batches, begins = objective.plan(6)
    first = {objective.collate(batches[begin]).inputs.layout.sizes[0] for begin in begins}
    assert len(first) > 2


@pytest.mark.parametrize("window", [False, True])
def test_the_loss_is_that_of_the_unbroken_stream(window: bool) -> None:
    lm = model(window)
    objective = StreamedLanguage(texts(), 4, num_streams=3, end_id=END)
    with torch.no_grad():
        for _ in range(2):  # the second epoch begins anew
            total = sum(float(loss.value) * loss.weight for loss in (
                objective.loss(lm, objective.collate(rows)) for rows in objective.plan(1)[0]))  # fmt: skip
            expected = 0.0
            for start, size in zip(objective.starts, objective.sizes_of_streams, strict=True):
                ids = torch.from_numpy(objective.ids[start : start + size + 1])
                logits = lm(ids[:-1], Layout.of([int(size)]))
                expected += float(F.cross_entropy(logits, ids[1:], reduction="sum"))
            assert total == pytest.approx(expected, rel=1e-5)


def test_parts_of_a_batch_carry_their_own_streams() -> None:
    lm = model()
    whole = StreamedLanguage(texts(), 4, num_streams=4, end_id=END)
    parts = StreamedLanguage(texts(), 4, num_streams=4, end_id=END)
    with torch.no_grad():
        for rows in whole.plan(1)[0]:
            together = whole.loss(lm, whole.collate(rows))
            losses = [parts.loss(lm, parts.collate(rows[i::2])) for i in range(2)]
            assert float(together.value) * together.weight == pytest.approx(
                sum(float(loss.value) * loss.weight for loss in losses), rel=1e-5
            )


def test_no_gradient_goes_back_into_the_batch_before() -> None:
    lm = model()
    objective = StreamedLanguage(texts(), 4, num_streams=2, end_id=END)
    first, second, *_ = objective.plan(1)[0]
    objective.loss(lm, objective.collate(first))
    assert all(not part.requires_grad for part in objective.carried)
    objective.loss(lm, objective.collate(second)).value.backward()  # would fail through a graph that is gone


def test_what_was_carried_is_taken_up() -> None:
    lm = model()
    one, other = (StreamedLanguage(texts(), 4, num_streams=3, end_id=END) for _ in range(2))
    first, second, *_ = one.plan(1)[0]
    with torch.no_grad():
        one.loss(lm, one.collate(first))
        other.carry(lm, [part.clone() for part in one.carried])
        values = [float(objective.loss(lm, objective.collate(second)).value) for objective in (one, other)]
    assert values[0] == values[1]


def test_too_little_text_for_its_streams_is_refused() -> None:
    with pytest.raises(ConfigError, match="lower batch_size"):
        StreamedLanguage(texts((3,)), 4, num_streams=4, end_id=END)
