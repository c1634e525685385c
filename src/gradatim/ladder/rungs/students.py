"""The eighth rung: small models that imitate the best model so far."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from gradatim.errors import ConfigError
from gradatim.ladder.encoder import EncoderLab
from gradatim.ladder.lab import Lab
from gradatim.ladder.rung import Problem
from gradatim.ladder.rungs.bilstm import SLOWER, WIDTH, build_bilstm
from gradatim.ladder.rungs.few import FewRung
from gradatim.ladder.rungs.finetuned import FinetunedRung
from gradatim.ladder.rungs.teacher import TeacherRung
from gradatim.ladder.teacher import load_teacher, save_teacher
from gradatim.models.backbone import Backbone, fewer_blocks
from gradatim.models.classifier import Classifier
from gradatim.models.inputs import PackedTexts
from gradatim.objectives.augment import augment
from gradatim.objectives.classification import Classification
from gradatim.objectives.distillation import Distillation
from gradatim.objectives.match import Match
from gradatim.pipelines.open import load_classifier
from gradatim.train.cost import dense_parameters
from gradatim.train.loop import train
from gradatim.train.recipe import Recipe
from gradatim.types import Array, Candidate, Encoded, Examples
from gradatim.wording import count

TEXTS = 48_000  # texts a student sees in all; small data is seen more often, and edited
FEWEST = 1.5  # times that large data is seen
MOST_COPIES = 4
MANY = 96_000  # texts seen in all, from which batches are twice as large
STUDENT = "student"  # the one of all blocks, from which the smaller ones start


def asked_depth(name: str) -> int | None:
    """The layers of a student that is asked for by name, `student-4l`; None for any other name."""
    found = re.fullmatch(r"student-(\d+)l", name)
    return int(found[1]) if found else None


@dataclass(frozen=True, slots=True)
class Lessons:
    """What every student learns from: texts (labelled first, then others) and its teacher's logits for them.

    `start` is a network of the students' own kind that has learned the task, if there is one.
    """

    texts: PackedTexts
    logits: Array
    start: Classifier | None
    source: str


def times_seen(num_texts: int) -> float:
    """How often a student sees each of its texts."""
    return max(FEWEST, TEXTS / max(1, num_texts))


def lessons(problem: Problem) -> Lessons:
    """Labelled, unlabelled and edited texts with the logits of the best candidate so far."""
    if "lessons" not in problem.cache:
        lab, settings = Lab.of(problem), problem.settings
        taught = [pair for pair in problem.below if pair[0].source is None]  # not what others were made of
        best = max(taught, key=lambda pair: pair[1])[0]
        teacher = load_teacher(problem.shared / best.name)
        unlabelled = Examples(settings.unlabelled, settings.unlabelled_pairs, np.zeros(0))
        parts = [problem.corpus.train, unlabelled] if len(unlabelled) else [problem.corpus.train]
        if teacher is None:
            classifier = load_classifier(best.artifact, threads=problem.threads)
            texts = _encoded(lab, parts)
            answers = [classifier.logits(part.texts, part.pairs) for part in parts]
            logits = np.concatenate(answers) / np.float32(classifier.temperature)
        else:
            reader = Lab.of(problem, settings.teacher if best.name == TeacherRung.name else None)
            texts = _encoded(lab, [*parts, *_edited(lab, parts)])
            own = texts if reader is lab else _encoded(reader, [*parts, *_edited(reader, parts)])
            logits = reader.logits(teacher, own)
        tuned = [pair for pair in taught if pair[0].name in (FewRung.name, FinetunedRung.name)]
        start = load_teacher(problem.shared / max(tuned, key=lambda pair: pair[1])[0].name) if tuned else None
        problem.cache["lessons"] = Lessons(PackedTexts(texts), logits, start, best.name)
    found: Lessons = problem.cache["lessons"]
    return found


def _copies(problem: Problem) -> int:
    """Edited copies of every text: half of what a student sees are repeats."""
    settings = problem.settings
    texts = len(problem.corpus.train) + len(settings.unlabelled)
    return max(0, min(MOST_COPIES, TEXTS // (2 * texts) - 1)) if settings.augment else 0


def _readings(problem: Problem) -> tuple[float, float]:
    """How often the labelled texts' worth is read: by the teacher, of all there is to read, and by a student."""
    labelled = len(problem.corpus.train)
    texts = (1 + _copies(problem)) * (labelled + len(problem.settings.unlabelled))
    times = problem.settings.planned(times_seen(texts))
    return texts / max(1, labelled), texts * times / max(1, labelled)


def _encoded(lab: Lab, parts: Sequence[Examples]) -> Encoded:
    """The labelled texts, which the lab has encoded already, and others after them."""
    return Encoded.together([lab.train, *map(lab.encode, parts[1:])])


def _edited(lab: Lab, parts: Sequence[Examples]) -> list[Examples]:
    """Edited copies of the texts as this lab's encoder reads them."""
    copies, seed = _copies(lab.problem), lab.problem.seed
    edited = []
    for part in parts if copies else ():
        whole = part.pairs is not None
        texts, pairs = (
            side if side is None else augment(side, copies, mask=lab.mask, whole=whole, seed=seed + i)
            for i, side in enumerate((part.texts, part.pairs))
        )
        edited.append(Examples(texts or (), pairs, np.zeros(0)))
    return edited


@dataclass(frozen=True, slots=True)
class EncoderStudent:
    """Blocks of the encoder, evenly spaced, or all of them: as the last larger student left them, else as they
    were fine-tuned, else as they were pretrained (Sanh et al. 2019).

    Only a teacher of another kind has something to say to an encoder of all blocks.
    """

    num_layers: int | None  # None: all of them
    can_shorten: bool = True

    @property
    def name(self) -> str:
        return f"student-{self.num_layers}l" if self.num_layers else "student"

    def cost_s(self, problem: Problem) -> float:
        lab, labelling = Lab.of(problem), 0.0
        by_teacher, by_student = _readings(problem)
        if "lessons" not in problem.cache:
            reader = Lab.of(problem, problem.settings.teacher)
            labelling = reader.seconds(reader.parameters, by_teacher, forward_only=True)
        return labelling + lab.seconds(self._share(lab) * lab.parameters, by_student)

    def fit(self, problem: Problem) -> list[Candidate]:
        began = time.perf_counter()
        lab, plan = Lab.of(problem), lessons(problem)
        larger = load_teacher(problem.shared / STUDENT) if self.num_layers is not None else None
        start = larger or plan.start
        if start is None:
            model = lab.classifier(self._blocks(lab.bert()), "mean", probed=False)
        else:
            assert isinstance(start.body, Backbone)
            model = lab.classifier(self._blocks(start.body), start.pooling[0], probed=False)
            model.head.load_state_dict(start.head.state_dict())
        tokens = float(plan.texts.sizes.sum())
        per_epoch = lab.seconds(self._share(lab) * lab.parameters, 1, tokens=tokens)
        spent_s = time.perf_counter() - began
        epochs = lab.affordable(times_seen(len(plan.texts)), per_epoch, spent_s=spent_s)
        recipe = Recipe(
            epochs=epochs,
            batch_size=64 if epochs * len(plan.texts) >= MANY else 32,
            rate=1e-4,
            average=0.2,
            seed=problem.seed,
            precision=problem.settings.precision,
        )
        hard = Classification(plan.texts, problem.corpus.train.targets)
        # The teacher's hidden states are not matched: it would have to read every batch along, and at equal
        # training time the students end up behind those that imitate its logits alone (benchmarks/NOTES.md).
        objective = Distillation(hard, Match(temperature=2.0, soft=1.0), teacher_logits=plan.logits)
        train(model, objective, recipe, progress=problem.progress)
        if self.num_layers is None:
            save_teacher(model, lab.tokenizer, problem.shared / STUDENT)
        notes = (f"imitates {plan.source} on {count(len(plan.texts), 'text')}, {epochs:.3g} times",)
        made_s = time.perf_counter() - began
        return [lab.export(model, self.name, self.name, made_s, source=plan.source, notes=notes)]

    def _share(self, lab: EncoderLab) -> float:
        """The share of the encoder's blocks that the student has."""
        layers, wanted = lab.config.num_layers, self.num_layers
        if wanted is not None and layers <= wanted:
            raise ConfigError(f"an encoder of {layers} layers cannot have a smaller one of {wanted}")
        return (wanted or layers) / layers

    def _blocks(self, body: Backbone) -> Backbone:
        return body if self.num_layers is None else fewer_blocks(body, self.num_layers)


class LstmStudent:
    """A BiLSTM that learns the teacher's logits (Tang et al. 2019) and starts from its word vectors."""

    name = "student-bilstm"
    can_shorten = True

    def cost_s(self, problem: Problem) -> float:
        lab = Lab.of(problem)
        model = build_bilstm(lab.config.vocab_size, len(problem.corpus.task.labels))
        return SLOWER * lab.seconds(dense_parameters(model), _readings(problem)[1])

    def fit(self, problem: Problem) -> list[Candidate]:
        began = time.perf_counter()
        lab, plan = Lab.of(problem), lessons(problem)
        body = plan.start.body if plan.start is not None else lab.bert()
        assert isinstance(body, Backbone)
        table = body.embedding.words.weight.detach()
        width = min(WIDTH, table.shape[1])
        vectors = principal(table, width)
        model = build_bilstm(len(vectors), len(problem.corpus.task.labels), width, vectors)
        tokens = float(plan.texts.sizes.sum())
        epochs = lab.affordable(
            times_seen(len(plan.texts)), SLOWER * lab.seconds(dense_parameters(model), 1, tokens=tokens)
        )
        recipe = Recipe(
            epochs=epochs, rate=2e-3, weight_decay=1e-5, average=0.2, seed=problem.seed, precision="fp32"
        )
        match = Match(temperature=2.0, soft=1.0, hard=0.2)
        hard = Classification(plan.texts, problem.corpus.train.targets)
        objective = Distillation(hard, match, teacher_logits=plan.logits)
        train(model, objective, recipe, progress=problem.progress)
        notes = (f"imitates {plan.source} on {count(len(plan.texts), 'text')}, {epochs:.3g} times",)
        made_s = time.perf_counter() - began
        return [lab.export(model, self.name, self.name, made_s, source=plan.source, notes=notes)]


def principal(vectors: torch.Tensor, width: int) -> torch.Tensor:
    """`vectors` (n, d) on their first `width` principal axes, scaled to unit variance overall."""
    centred = vectors - vectors.mean(0)
    _, axes = torch.linalg.eigh(centred.T @ centred)
    projected: torch.Tensor = centred @ axes.flip(1)[:, :width]
    return projected / projected.std()
