"""What the rungs that write share: a tokenizer learned once, packed pairs, training, files, folders."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, cast

import numpy as np
import torch

from gradatim import __version__
from gradatim.checkpoint.config import ModelConfig
from gradatim.checkpoint.folder import read_model, save_model
from gradatim.engine.atomic import atomic_file
from gradatim.export.text_to_text import write_text_to_text
from gradatim.ladder.rung import Problem
from gradatim.models.inputs import PackedTexts
from gradatim.models.language import EncoderDecoder
from gradatim.objectives.base import Objective
from gradatim.objectives.seq2seq import SequenceToSequence
from gradatim.text.pieces import PieceEncoder
from gradatim.text.tokenizer import parse_tokenizer, preset, train_tokenizer
from gradatim.train.architecture import ModelSettings
from gradatim.train.batches import Plan
from gradatim.train.loop import Stepper
from gradatim.train.processes import Processes
from gradatim.train.recipe import Recipe
from gradatim.types import Array, Candidate

PIECES = "marian"  # a unigram vocabulary of both languages (Kudo 2018)
SIZES = {250_000: 8_000, 10**12: 16_000}  # of the vocabulary, up to so many pairs
ROOMY, SHORTEST = 0.99, 32  # a window holds this share of the sources, and at least so many tokens
TRIED = 3  # batches whose training is timed
TOKENS = 8192  # of both sides in a step
PROVENANCE = {"gradatim": __version__}
SMOOTHING = 0.1  # Vaswani et al. 2017, section 5.4


class WritingLab:
    """Built once per climb (`WritingLab.of`)."""

    def __init__(self, problem: Problem) -> None:
        torch.set_num_threads(problem.threads)
        self.problem = problem
        train = problem.corpus.train
        self.sources, self.targets = list(train.texts), train.targets.tolist()
        self.tokenizer = self._tokenizer()
        known = parse_tokenizer(self.tokenizer).get_vocab()
        self.start, self.end, self.vocab_size = known["<pad>"], known["</s>"], len(known)
        longest = problem.settings.max_length
        sizes = PieceEncoder(self.tokenizer, max_length=longest).documents(self.sources).arrays["lengths"]
        room = 16 * int(np.ceil((np.quantile(sizes, ROOMY) + 1) / 16))
        self.max_length = min(max(room, SHORTEST), longest)
        self.pieces = PieceEncoder(self.tokenizer, max_length=self.max_length, truncate=True)

    @classmethod
    def of(cls, problem: Problem) -> WritingLab:
        """The lab of this climb."""
        if "writing lab" not in problem.cache:
            problem.cache["writing lab"] = cls(problem)
        lab: WritingLab = problem.cache["writing lab"]
        lab.problem = problem
        return lab

    def _tokenizer(self) -> str:
        """One vocabulary for both sides; kept for a resumed climb, since a second one might number its pieces anew."""
        path = self.problem.shared / "tokenizer.json"
        if not path.is_file():
            self.problem.say("learning a vocabulary")
            size = next(size for most, size in SIZES.items() if len(self.sources) <= most)
            made = train_tokenizer([*self.sources, *self.targets], preset(PIECES), size)
            with atomic_file(path) as handle:
                handle.write(made.to_str().encode())
        return path.read_text(encoding="utf-8")

    def config(self, settings: ModelSettings) -> ModelConfig:
        """The encoder-decoder that these settings describe."""
        body, reader = settings.sides(settings.body(self.vocab_size))
        special = {"pad": self.start, "start": self.start, "eos": self.end}
        return ModelConfig(kind="seq2seq", body=body, decoder=reader, bias=True, special=special)

    def objective(self, sources: Sequence[str], targets: Sequence[str]) -> SequenceToSequence:
        """What is learned from these pairs: of a longer source its beginning, nothing from a longer target."""
        written = PackedTexts(self.pieces.documents(targets))
        short = np.flatnonzero(written.sizes < self.max_length).tolist()
        if len(short) < len(targets):
            sources, targets = ([side[row] for row in short] for side in (sources, targets))
            written = PackedTexts(self.pieces.documents(targets))
        return SequenceToSequence(
            PackedTexts(self.pieces.encode(sources)),
            written.ended(self.end),
            start_id=self.start,
            smoothing=SMOOTHING,
        )

    @cached_property
    def learned(self) -> SequenceToSequence:
        """What is learned from the pairs as they were given."""
        return self.objective(self.sources, self.targets)

    def recipe(self, epochs: float, rate: float) -> Recipe:
        """How all of them are trained: the rate falls to nothing at the end of whatever time there is."""
        return Recipe(
            epochs=epochs, batch_size=512, max_tokens=TOKENS, rate=rate, schedule="linear", warmup=0.1, average=0.1,
            seed=self.problem.seed, precision=self.problem.settings.precision,
        )  # fmt: skip

    def build(self, config: ModelConfig) -> EncoderDecoder:
        """A fresh model."""
        torch.manual_seed(self.problem.seed)
        return cast(EncoderDecoder, config.build())

    def epoch_s(
        self, name: str, build: Callable[[], EncoderDecoder], objective: Objective[Any], recipe: Recipe
    ) -> float:
        """Seconds of an epoch, from a few batches of it that a fresh model is trained on, once for each name."""
        key = f"epoch of {name}"
        if key not in self.problem.cache:
            plan = Plan.of(objective.sizes, 1, recipe.batch_size, recipe.max_tokens, recipe.seed).batches
            stepper = Stepper(build(), objective, recipe, Processes())
            stepper.gradients(plan[0], 0, 0)
            some = plan[1 : 1 + TRIED] or plan
            began = time.perf_counter()
            for step, batch in enumerate(some):
                stepper.gradients(batch, step, 0)
                stepper.optimizer.step(0.0)
            tokens = sum(int(objective.sizes[batch].sum()) for batch in some)
            self.problem.cache[key] = (time.perf_counter() - began) * float(objective.sizes.sum()) / tokens
        spent: float = self.problem.cache[key]
        return spent

    def affordable(self, wanted: float, epoch_s: float, *, spent_s: float = 0.0) -> float:
        """The epochs that fit into the rung's training time, of which `spent_s` is gone; a fourth of one at least."""
        if self.problem.settings.epochs is not None:
            return float(self.problem.settings.epochs)
        if self.problem.limit_s is None:
            return wanted
        return max(0.25, min(wanted, 0.95 * (self.problem.limit_s - spent_s) / epoch_s))

    def settings(self, config: ModelConfig | None = None) -> dict[str, Any]:
        """What the file of a model says of how it is run."""
        reader = None if config is None else config.decoder
        longest = (reader and reader.longest) or 2 * self.max_length
        return {
            "max_length": self.max_length, "start": self.start, "end": self.end, "longest": longest, "prefix": "",
        }  # fmt: skip

    def keep(self, model: EncoderDecoder, config: ModelConfig, name: str) -> None:
        """Leave the model where a student, and the report, find it."""
        folder = self.problem.shared / name
        save_model(model, folder, config=config)
        with atomic_file(folder / "tokenizer.json") as handle:
            handle.write(self.tokenizer.encode())

    def kept(self, name: str) -> tuple[EncoderDecoder, ModelConfig] | None:
        """The model of that name, or None."""
        folder = self.problem.shared / name
        if not (folder / "config.json").is_file():
            return None
        read = read_model(folder)
        return cast(EncoderDecoder, read.model), read.config

    def export(
        self, model: EncoderDecoder, config: ModelConfig, name: str, made_s: float, *, source: str | None = None,
        notes: Sequence[str] = (),
    ) -> Candidate:  # fmt: skip
        """Write `name.gradatim` into the rung's folder."""
        path = self.problem.folder / f"{name}.gradatim"
        settings = self.settings(config)
        write_text_to_text(path, model, self.tokenizer, settings=settings, provenance=PROVENANCE, beams=1)
        params = sum(parameter.numel() for parameter in model.parameters())
        return Candidate(name, name, str(path), made_s, params, source, tuple(notes))


def some(rows: Sequence[str], most: int) -> list[str]:
    """At most so many, evenly from all."""
    at: Array = np.unique(np.linspace(0, len(rows) - 1, most).astype(np.int64))
    return [rows[row] for row in at]
