"""What the neural rungs share, on a tiny random encoder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from gradatim.checkpoint.folder import save_model
from gradatim.data import resolve_model
from gradatim.engine.artifact import read_artifact
from gradatim.errors import ConfigError, GradatimError, SourceError
from gradatim.ladder import encoder as encoders
from gradatim.ladder import lab as labs
from gradatim.ladder.goals import goal_of
from gradatim.ladder.lab import POOLINGS, Lab
from gradatim.ladder.rung import Problem, Rung, Settings
from gradatim.ladder.rungs import bag, int8
from gradatim.ladder.rungs.bag import BagRung
from gradatim.ladder.rungs.bilstm import BiLstmRung
from gradatim.ladder.rungs.few import FewRung
from gradatim.ladder.rungs.finetuned import FinetunedRung
from gradatim.ladder.rungs.frozen import FrozenRung
from gradatim.ladder.rungs.int8 import Int8Rung
from gradatim.ladder.rungs.students import EncoderStudent, LstmStudent, lessons
from gradatim.ladder.rungs.teacher import TeacherRung
from gradatim.ladder.teacher import load_teacher
from gradatim.models.backbone import Backbone
from gradatim.models.presets import Sizes, bert, mpnet
from gradatim.models.session import TorchSession
from gradatim.tasks.open import load
from gradatim.types import Candidate, Corpus, Examples, Task

TEXTS = [f"{'good' if i % 2 else 'bad'} film {'very ' * (3 * i % 40)}the !" for i in range(24)]


@pytest.fixture(scope="module")
def encoder(tokenizer_json: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    save_model(
        Backbone(
            bert(Sizes(vocab_size=80, num_layers=4, width=32, num_heads=2, ffn_width=64, max_length=24))
        ),
        folder,
        family="bert",
    )
    (folder / "tokenizer.json").write_text(tokenizer_json, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def large(tokenizer_json: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wider encoder of another family, whose mask is written otherwise."""
    folder = tmp_path_factory.mktemp("mpnet")
    torch.manual_seed(1)
    sizes = Sizes(vocab_size=80, num_layers=3, width=64, num_heads=4, ffn_width=128, max_length=24)
    save_model(Backbone(mpnet(sizes)), folder, family="mpnet")
    (folder / "tokenizer.json").write_text(tokenizer_json.replace("[MASK]", "<mask>"), encoding="utf-8")
    return folder


def make_problem(encoder: Path, folder: Path, *, labels: int = 2, pairs: bool = False) -> Problem:
    task = Task(tuple(f"label-{i}" for i in range(labels)), pairs=pairs)
    examples = Examples(TEXTS, TEXTS[::-1] if pairs else None, np.arange(len(TEXTS)) % labels)
    corpus = Corpus("tiny", task, examples, examples.take(range(12)), None)
    (rung := folder / "rung").mkdir(parents=True)
    settings = Settings(encoder=str(encoder), epochs=1, precision="fp32")
    return Problem(corpus, goal_of(corpus.task), rung, folder / "shared", "accuracy", settings=settings)


@pytest.mark.parametrize("labels", [2, 3])
@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_exported_file_answers_as_the_model_in_memory(
    encoder: Path, tmp_path: Path, labels: int, pairs: bool, pooling: labs.Pooling
) -> None:
    problem = make_problem(encoder, tmp_path, labels=labels, pairs=pairs)
    lab = Lab.of(problem)
    torch.manual_seed(0)
    model = lab.classifier(lab.bert(), pooling, probed=False)
    candidate = lab.export(model, "tiny", "rung", 0.0)
    loaded = load(candidate.artifact, threads=1)
    dev = problem.corpus.dev
    rows = lab.dev
    assert len(rows.owners) > rows.num_texts, "some text should need several windows"
    wanted = labs.pool_windows(
        TorchSession(model).run(rows.arrays)["logits"], rows.arrays["lengths"], rows.owners, rows.num_texts
    )
    np.testing.assert_allclose(
        loaded.probabilities(dev.texts, dev.pairs), loaded.normalise(wanted), atol=1e-4
    )


def test_every_neural_rung_makes_a_file_with_as_many_answers_as_labels(encoder: Path, tmp_path: Path) -> None:
    rungs = (
        BagRung(), BiLstmRung(), FrozenRung(), FewRung(), FinetunedRung(), EncoderStudent(3), EncoderStudent(2),
        LstmStudent(),
    )  # fmt: skip
    problem = make_problem(encoder, tmp_path, labels=3)
    made = []
    for rung in rungs:
        here = replace(problem, folder=tmp_path / rung.name, below=tuple(made))
        here.folder.mkdir()
        (candidate,) = rung.fit(here)
        assert candidate.name == rung.name
        assert load(candidate.artifact, threads=1).probabilities(TEXTS[:5]).shape == (5, 3)
        # The fine-tuned model is called the best, so that it becomes the teacher.
        made.append((candidate, float(rung.name == "finetuned")))
    assert {c.source for c, _ in made if c.rung.startswith("student")} == {"finetuned"}


def apart(vectors: np.ndarray, targets: np.ndarray) -> float:
    """How much nearer texts of one label are than those of two, as a cosine."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    same = targets[:, None] == targets
    return float((unit @ unit.T)[same].mean() - (unit @ unit.T)[~same].mean())


def test_contrast_draws_texts_of_a_label_together(encoder: Path, tmp_path: Path) -> None:
    texts = [f"{'abcdefgh'[i // 2 % 8]} {['good', 'bad'][i % 2]} {'very ' * (i % 5)}!" for i in range(48)]
    examples = Examples(texts, None, np.arange(48) % 2)
    problem = make_problem(encoder, tmp_path)
    corpus = replace(problem.corpus, train=examples.take(range(16)), dev=examples.take(range(16, 48)))
    problem = replace(problem, corpus=corpus, settings=replace(problem.settings, epochs=10))
    assert FewRung().cost_s(problem) > FrozenRung().cost_s(problem)
    (candidate,) = FewRung().fit(problem)
    model, lab, kept = (
        load(candidate.artifact, threads=1),
        Lab.of(problem),
        load_teacher(problem.shared / "few"),
    )
    assert kept is not None
    np.testing.assert_allclose(model.logits(corpus.dev.texts), lab.logits(kept, lab.dev), atol=1e-3)
    assert np.mean(model.logits(corpus.dev.texts).argmax(1) == corpus.dev.targets) > 0.9
    frozen, targets = lab.features("mean")[1], corpus.dev.targets
    assert apart(lab.vectors(kept, lab.dev), targets) > 2 * apart(frozen, targets)


def test_students_follow_from_few_labels(encoder: Path, tmp_path: Path) -> None:
    problem = make_problem(encoder, tmp_path)
    (few,) = FewRung().fit(problem)
    (student,) = EncoderStudent(2).fit(replace(problem, below=((few, 1.0),)))
    assert (few.source, student.source) == (None, "few")
    start = problem.cache["lessons"].start
    torch.testing.assert_close(
        start.head.linear.weight, load_teacher(problem.shared / "few").head.linear.weight
    )
    (small,) = Int8Rung().fit(replace(problem, below=((few, 1.0),)))
    assert small.source == "few"


@pytest.mark.parametrize("pairs", [False, True])
def test_a_larger_teacher_of_another_tokenizer_teaches_every_student(
    encoder: Path, large: Path, tmp_path: Path, pairs: bool
) -> None:
    rungs = (FinetunedRung(), TeacherRung(), EncoderStudent(None), EncoderStudent(2), LstmStudent())
    problem = make_problem(encoder, tmp_path, pairs=pairs)
    settings = replace(problem.settings, teacher=str(large), unlabelled=TEXTS[:3])
    if pairs:
        settings = replace(settings, unlabelled_pairs=TEXTS[3:6])
    problem = replace(problem, settings=settings)
    made: list[tuple[Candidate, float]] = []
    for rung in rungs:
        here = replace(problem, folder=tmp_path / rung.name, below=tuple(made))
        here.folder.mkdir()
        (candidate,) = rung.fit(here)
        made.append((candidate, float(rung.name == "teacher")))
    found = {candidate.name: candidate for candidate, _ in made}
    assert {found[name].source for name in ("student", "student-2l", "student-bilstm")} == {"teacher"}
    assert found["teacher"].params > 2 * found["student"].params > 2 * found["student-2l"].params
    plan = lessons(here)
    assert len(plan.texts) == len(plan.logits) == 5 * (len(TEXTS) + 3)
    taught = load(found["teacher"].artifact).logits(TEXTS, TEXTS[::-1] if pairs else None)
    np.testing.assert_allclose(plan.logits[: len(TEXTS)], taught, atol=1e-3)
    alone = replace(here, cache={}, settings=replace(settings, augment=False))
    assert len(lessons(alone).texts) == len(TEXTS) + 3


def test_a_student_needs_a_larger_encoder(encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(GradatimError, match="4 layers"):
        EncoderStudent(4).cost_s(make_problem(encoder, tmp_path))


def test_the_time_limit_of_the_rung_that_asks_shortens_its_training(encoder: Path, tmp_path: Path) -> None:
    problem = make_problem(encoder, tmp_path)
    problem = replace(problem, settings=replace(problem.settings, epochs=None))
    assert Lab.of(problem).affordable(10.0, seconds_per_epoch=2.0) == 10.0
    assert Lab.of(replace(problem, limit_s=10.0)).affordable(10.0, seconds_per_epoch=2.0) == pytest.approx(
        4.5
    )
    assert Lab.of(replace(problem, limit_s=0.1)).affordable(10.0, seconds_per_epoch=2.0) == 0.5


@pytest.mark.parametrize("rung", [FinetunedRung(), BiLstmRung(), EncoderStudent(2), LstmStudent()])
def test_an_estimate_counts_the_epochs_that_were_asked_for(encoder: Path, tmp_path: Path, rung: Rung) -> None:
    problem = make_problem(encoder, tmp_path)
    one, ten = (
        rung.cost_s(replace(problem, settings=replace(problem.settings, epochs=epochs))) for epochs in (1, 10)
    )
    assert one < ten


def test_an_encoder_that_is_not_there_is_looked_for_once(
    encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def nowhere(name: str) -> Path:
        asked.append(name)
        raise SourceError(f"no model {name}")

    monkeypatch.setattr(encoders, "resolve_model", nowhere)
    problem = make_problem(encoder, tmp_path)
    for _ in range(3):
        with pytest.raises(SourceError, match="no model"):
            Lab.of(problem)
    assert asked == [str(encoder)]
    assert resolve_model(encoder) == encoder


def test_frozen_vectors_are_kept_for_a_resumed_climb(
    encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = make_problem(encoder, tmp_path)
    train, dev = Lab.of(problem).features("mean")
    assert train.shape == (24, 32)
    assert dev.shape == (12, 32)
    monkeypatch.setattr(Lab, "_encode_frozen", lambda *_args: pytest.fail("encoded again"))
    again, _ = Lab.of(replace(problem, cache={})).features("mean")
    np.testing.assert_array_equal(again, train)


def test_reading_the_teacher_draws_no_random_numbers(encoder: Path, tmp_path: Path) -> None:
    problem = make_problem(encoder, tmp_path)
    FinetunedRung().fit(problem)
    torch.manual_seed(1)
    wanted = torch.rand(3)
    torch.manual_seed(1)
    assert load_teacher(problem.shared / "finetuned") is not None
    torch.testing.assert_close(torch.rand(3), wanted, rtol=0, atol=0)


@pytest.mark.parametrize("enough", [0, 2, 99])
def test_int8_keeps_the_products_that_cost_most_in_fp32(
    encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, enough: int
) -> None:
    problem = make_problem(encoder, tmp_path)
    (source,) = FrozenRung().fit(problem)
    tried: list[int] = []

    def quality(*_: object) -> float:
        """As if so many products had to stay in fp32."""
        tried.append(1)
        return 0.9 if len(tried) > np.log2(max(enough, 0.5)) + 1 else 0.5

    monkeypatch.setattr(int8, "quality", quality)
    (small,) = Int8Rung().fit(replace(problem, below=((source, 0.9),)))
    graph = onnx.load_model_from_string(read_artifact(Path(small.artifact)).member("model.onnx")).graph
    (both,) = graph.node
    eight = next(part.g for part in both.attribute if part.name == "then_branch")
    exact = {node.name for node in eight.node if node.op_type == "Gemm"} - {"head"}
    finer = {"lookup"} & set(small.notes[0].replace(",", "").split())
    assert len(exact | finer) == (2 if enough == 2 else 0)
    for name in exact:
        assert name in small.notes[0]
    wanted, found = (load(file.artifact).logits(TEXTS) for file in (source, small))
    assert np.corrcoef(wanted[:, 0], found[:, 0])[0, 1] > 0.99


def test_a_file_in_int8_runs_in_the_precision_asked_for(encoder: Path, tmp_path: Path) -> None:
    problem = make_problem(encoder, tmp_path)
    (source,) = FrozenRung().fit(problem)
    (small,) = Int8Rung().fit(replace(problem, below=((source, 0.0),)))
    # Holds fp32 alone: there is nothing to choose.
    exact = load(source.artifact, precision="int8").logits(TEXTS)
    np.testing.assert_array_equal(exact, load(source.artifact).logits(TEXTS))
    eight, plain = (load(small.artifact, precision=how).logits(TEXTS) for how in ("int8", "fp32"))
    assert not np.array_equal(eight, plain)
    # Weights cost more than activations.
    assert np.abs(plain - exact).mean() <= 1.05 * np.abs(eight - exact).mean()
    with pytest.raises(ConfigError, match="not 'int4'"):
        load(small.artifact, precision="int4")


def test_the_bag_goes_through_the_texts_as_often_as_asked(
    encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem, seen = make_problem(encoder, tmp_path), []
    monkeypatch.setattr(bag, "train", lambda _model, _objective, recipe, **_: seen.append(recipe.epochs))
    for epochs in (0.5, 3, None):
        BagRung().fit(replace(problem, settings=replace(problem.settings, epochs=epochs)))
    assert seen == [0.5, 3, bag.EPOCHS]
