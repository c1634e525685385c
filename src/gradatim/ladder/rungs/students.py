"""The eighth rung: small models that imitate the best model so far."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from tokenizers import Tokenizer

from gradatim.errors import ConfigError
from gradatim.ladder.lab import Lab
from gradatim.ladder.rung import Problem
from gradatim.ladder.rungs.bilstm import SLOWER, WIDTH, build_bilstm
from gradatim.ladder.teacher import load_teacher
from gradatim.models.backbone import Backbone
from gradatim.models.classifier import Classifier
from gradatim.models.inputs import PackedTexts
from gradatim.objectives.augment import augment, join
from gradatim.objectives.classification import Classification
from gradatim.objectives.distillation import Distillation, Match
from gradatim.pipelines.open import load
from gradatim.train.loop import train
from gradatim.train.recipe import Recipe
from gradatim.types import Array, Candidate, Examples

TEXTS = 48_000  # texts a student sees in all; small data is seen more often, and edited
FEWEST = 1.5  # times that large data is seen
MOST_COPIES = 4


@dataclass(frozen=True, slots=True)
class Lessons:
    """What every student learns from: texts (labelled first, then others) and the teacher's logits."""

    texts: PackedTexts
    logits: Array
    teacher: Classifier | None
    source: str


def times_seen(num_texts: int) -> float:
    """How often a student sees each of its texts."""
    return max(FEWEST, TEXTS / max(1, num_texts))


def lessons(problem: Problem) -> Lessons:
    """Labelled, unlabelled and edited texts with the logits of the best candidate so far."""
    if "lessons" not in problem.cache:
        lab = Lab.of(problem)
        best = max(problem.below, key=lambda pair: pair[1])[0]
        teacher = load_teacher(problem.shared / "teacher") if best.name == "finetuned" else None
        settings = problem.settings
        extra = Examples(settings.unlabelled, settings.unlabelled_pairs, np.zeros(0))
        texts = join(lab.train, lab.encode(extra)) if len(extra) else lab.train
        if teacher is None:
            logits = _exported_logits(problem, best, extra)
        else:
            copies = min(MOST_COPIES, TEXTS // (2 * texts.num_texts) - 1)  # half the passes are repeats
            if copies > 0:
                texts = join(texts, augment(texts, copies, mask_id=_mask_id(lab), seed=problem.seed))
            logits = lab.logits(teacher, texts)
        problem.cache["lessons"] = Lessons(PackedTexts(texts), logits, teacher, best.name)
    found: Lessons = problem.cache["lessons"]
    return found


def _exported_logits(problem: Problem, best: Candidate, extra: Examples) -> Array:
    """The logits of a teacher of any kind, from its exported file, over labelled and unlabelled texts."""
    classifier = load(best.artifact, threads=problem.threads)
    train = problem.corpus.train
    parts = [classifier.logits(part.texts, part.pairs) for part in (train, extra) if len(part)]
    return np.concatenate(parts) / np.float32(classifier.temperature)


def _mask_id(lab: Lab) -> int:
    tokenizer = Tokenizer.from_str(lab.tokenizer)
    known = (tokenizer.token_to_id(name) for name in ("[MASK]", "<mask>", "[UNK]"))
    return next((index for index in known if index is not None), 0)


@dataclass(frozen=True, slots=True)
class EncoderStudent:
    """Some of the teacher's own blocks, started from its weights (Sanh et al. 2019).

    With a teacher of another kind the blocks come from the pretrained encoder.
    """

    num_layers: int
    can_shorten: bool = True

    @property
    def name(self) -> str:
        return f"student-{self.num_layers}l"

    def cost_s(self, problem: Problem) -> float:
        lab = Lab.of(problem)
        layers = lab.bert().config.num_layers
        if layers <= self.num_layers:
            raise ConfigError(f"an encoder of {layers} layers cannot have a smaller one of {self.num_layers}")
        model = fewer_blocks(lab.bert(), self.num_layers)
        labelling = 0.0 if "lessons" in problem.cache else lab.seconds(lab.bert(), 1.0)
        return labelling + lab.seconds(model, times_seen(len(problem.corpus.train)))

    def fit(self, problem: Problem) -> list[Candidate]:
        began = time.perf_counter()
        lab, plan = Lab.of(problem), lessons(problem)
        if plan.teacher is not None and isinstance(plan.teacher.body, Backbone):
            body = fewer_blocks(plan.teacher.body, self.num_layers)
            model = lab.classifier(body, plan.teacher.pooling[0], probed=False)
            model.head.load_state_dict(plan.teacher.head.state_dict())
        else:
            model = lab.classifier(fewer_blocks(lab.bert(), self.num_layers), "mean", probed=False)
        per_epoch = lab.seconds(model, 1, tokens=float(plan.texts.sizes.sum()))
        spent_s = time.perf_counter() - began
        epochs = lab.affordable(times_seen(len(plan.texts)), per_epoch, spent_s=spent_s)
        recipe = Recipe(
            epochs=epochs, rate=1e-4, average=0.2, seed=problem.seed, precision=problem.settings.precision
        )
        hard = Classification(plan.texts, problem.corpus.train.targets)
        # The teacher's hidden states are not matched: it would have to read every batch along, and at equal
        # training time the students end up behind those that imitate its logits alone (benchmarks/NOTES.md).
        objective = Distillation(hard, Match(temperature=2.0, soft=1.0), teacher_logits=plan.logits)
        train(model, objective, recipe, progress=problem.progress)
        notes = (f"imitates {plan.source} on {len(plan.texts):,} texts, {epochs:.3g} times",)
        made_s = time.perf_counter() - began
        return [lab.export(model, self.name, self.name, made_s, source=plan.source, notes=notes)]


class LstmStudent:
    """A BiLSTM that learns the teacher's logits (Tang et al. 2019) and starts from its word vectors."""

    name = "student-bilstm"
    can_shorten = True

    def cost_s(self, problem: Problem) -> float:
        lab = Lab.of(problem)
        model = build_bilstm(lab.bert().config.embedding.vocab_size, len(problem.corpus.task.labels))
        return SLOWER * lab.seconds(model, times_seen(len(problem.corpus.train)))

    def fit(self, problem: Problem) -> list[Candidate]:
        began = time.perf_counter()
        lab, plan = Lab.of(problem), lessons(problem)
        source = plan.teacher.body if plan.teacher is not None else lab.bert()
        assert isinstance(source, Backbone)
        table = source.embedding.words.weight.detach()
        width = min(WIDTH, table.shape[1])
        vectors = principal(table, width)
        model = build_bilstm(len(vectors), len(problem.corpus.task.labels), width, vectors)
        tokens = float(plan.texts.sizes.sum())
        epochs = lab.affordable(times_seen(len(plan.texts)), SLOWER * lab.seconds(model, 1, tokens=tokens))
        recipe = Recipe(
            epochs=epochs, rate=2e-3, weight_decay=1e-5, average=0.2, seed=problem.seed, precision="fp32"
        )
        match = Match(temperature=2.0, soft=1.0, hard=0.2)
        hard = Classification(plan.texts, problem.corpus.train.targets)
        objective = Distillation(hard, match, teacher_logits=plan.logits)
        train(model, objective, recipe, progress=problem.progress)
        notes = (f"imitates {plan.source} on {len(plan.texts):,} texts, {epochs:.3g} times",)
        made_s = time.perf_counter() - began
        return [lab.export(model, self.name, self.name, made_s, source=plan.source, notes=notes)]


def fewer_blocks(body: Backbone, num_layers: int) -> Backbone:
    """A smaller network of evenly spaced blocks of `body`, always with its last one."""
    chosen = np.linspace(0, body.config.num_layers, num_layers + 1)[1:].round().astype(int) - 1
    student = Backbone(replace(body.config, num_layers=num_layers))
    student.embedding.load_state_dict(body.embedding.state_dict())
    for ours, theirs in enumerate(chosen):
        student.stack.blocks[ours].load_state_dict(body.stack.blocks[theirs].state_dict())
    return student


def principal(vectors: torch.Tensor, width: int) -> torch.Tensor:
    """`vectors` (n, d) on their first `width` principal axes, scaled to unit variance overall."""
    centred = vectors - vectors.mean(0)
    _, axes = torch.linalg.eigh(centred.T @ centred)
    projected: torch.Tensor = centred @ axes.flip(1)[:, :width]
    return projected / projected.std()
