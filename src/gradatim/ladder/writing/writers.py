"""The rungs that learn to write: recurrent networks without and with attention, Transformers."""

from __future__ import annotations

import time
from dataclasses import dataclass

from gradatim.ladder.rung import Problem
from gradatim.ladder.writing.lab import WritingLab
from gradatim.train.architecture import ModelSettings
from gradatim.train.loop import train
from gradatim.types import Candidate
from gradatim.wording import count

SEEN = 1_500_000  # pairs that are seen in all,
FEWEST, MOST = 3.0, 40.0  # within sensible numbers of epochs


@dataclass(frozen=True, slots=True)
class WriterRung:
    """An encoder-decoder trained from nothing; `rate` is the peak of its learning rate."""

    name: str
    model: ModelSettings
    rate: float
    can_shorten: bool = True
    shortest: float = 0.1  # of so many pairs

    def epochs(self, problem: Problem) -> float:
        return min(MOST, max(FEWEST, SEEN / max(1, len(problem.corpus.train))))

    def cost_s(self, problem: Problem) -> float:
        lab, recipe = WritingLab.of(problem), WritingLab.of(problem).recipe(1, self.rate)
        epoch_s = lab.epoch_s(self.name, lambda: lab.build(lab.config(self.model)), lab.learned, recipe)
        return problem.settings.planned(self.epochs(problem)) * epoch_s

    def fit(self, problem: Problem) -> list[Candidate]:
        began = time.perf_counter()
        lab = WritingLab.of(problem)
        config = lab.config(self.model)
        model, wanted = lab.build(config), self.epochs(problem)
        epochs = lab.affordable(wanted, self.cost_s(problem) / wanted, spent_s=time.perf_counter() - began)
        done = train(model, lab.learned, lab.recipe(epochs, self.rate), progress=problem.progress)
        lab.keep(model, config, self.name)
        notes = (f"{count(epochs, 'epoch', '.3g')} at {done.tokens_per_s:,.0f} tokens/s, both sides counted",)
        return [lab.export(model, config, self.name, time.perf_counter() - began, notes=notes)]


def _transformer(width: int, layers: int, decoder_layers: int, heads: int) -> ModelSettings:
    """Pre-norm (Xiong et al. 2020), which needs no long warm-up; feed-forward four times as wide."""
    return ModelSettings(
        preset="transformer", num_layers=layers, decoder_layers=decoder_layers, width=width, num_heads=heads,
        ffn_width=4 * width, norm_order="pre",
    )  # fmt: skip


def _recurrent(attention: str) -> ModelSettings:
    return ModelSettings(preset="bigru", width=256, hidden_width=256, attention=attention)


RNN = WriterRung("rnn", _recurrent("none"), 2e-3)
RNN_ATTENTION = WriterRung("rnn-attention", _recurrent("luong-general"), 2e-3)
# Deep and shallow: Kasai et al. 2021.
SMALL = WriterRung("transformer-small", _transformer(256, 4, 2, 4), 2.5e-3)
BASE = WriterRung("transformer-base", _transformer(512, 6, 6, 8), 1e-3)
WRITERS = (RNN, RNN_ATTENTION, SMALL, BASE)
