"""Every published use of an encoder, from a recipe to a score: tiny made-up data that a tiny model can learn."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import gradatim
from gradatim.checkpoint.folder import family_of, read_model
from gradatim.data.annotated import SETS
from gradatim.data.answered import SPANS
from gradatim.data.questions import Question
from gradatim.errors import CheckpointError, ConfigError, DataError
from gradatim.models.layers import FrozenReader
from gradatim.text.pieces import PieceEncoder
from gradatim.train.build import Materials, Prepared
from gradatim.train.job import run
from gradatim.train.kinds.reading import annotated
from gradatim.train.kinds.spans import answer_rows
from gradatim.train.kinds.tagging import together
from gradatim.train.loop import train
from gradatim.train.recipe_file import RecipeFile, read_recipe

pytest.importorskip("datasets")
RECIPE = """
[model]
preset = "bert"
num_layers = 1
width = 16
num_heads = 2
ffn_width = 32
dropout = 0.0
[data]
source = "{source}"
tokenizer = "tokenizer.json"
max_length = 24
dev_share = 0.25
[objective]
kind = "{kind}"
[train]
epochs = 20
batch_size = 8
rate = 2e-2
precision = "fp32"
log_every = 100
"""
LETTERS = "abcdefgh"


def sentences(rng: np.random.Generator) -> str:
    """Entities are good (LOC) and bad film (PER, of two words)."""
    lines = []
    for i in range(80):
        if i % 8 == 0:
            lines.append("-DOCSTART- -X- O\n")
        for _ in range(3):
            lines += [f"{rng.choice(list(LETTERS))} X O", "good X I-LOC"]
            lines += ["bad X I-PER", "film X I-PER"] * int(rng.integers(2))
        lines.append("")
    return "\n".join(lines)


def questions(rng: np.random.Generator) -> str:
    """The answer is the word asked for and the one after it; some contexts do not have it."""
    paragraphs = []
    for i in range(80):
        asked = ["good", "bad"][i % 2]
        words, place = rng.permutation(list(LETTERS))[:6].tolist(), int(rng.integers(5))
        words[place : place + 1] = [asked, "film"] if i % 4 else words[place : place + 1]
        start = len(" ".join([*words[:place], ""]))
        answers = [{"answer_start": start, "text": f"{asked} film"}] if i % 4 else []
        paragraphs.append({"context": " ".join(words), "qas": [{"question": asked, "answers": answers}]})
    return json.dumps({"data": [{"paragraphs": paragraphs}]})


def choices(rng: np.random.Generator) -> str:
    """Right is the choice that says good, whatever the dialogue."""
    items = []
    for i in range(80):
        offered = [f"bad {rng.choice(list(LETTERS))}" for _ in range(2 + i % 2)]
        at = int(rng.integers(len(offered)))
        offered[at] = f"good {rng.choice(list(LETTERS))}"
        row = {"question": "not ?", "choice": offered, "answer": offered[at]}
        items.append([["the film", " ".join(rng.permutation(list(LETTERS)))], [row], str(i)])
    return json.dumps(items)


def scores(rng: np.random.Generator) -> str:
    """Each letter of the second text has a number; no two rows have the same first text."""
    letters = [str(rng.choice(list(LETTERS))) for _ in range(80)]
    first = [" ".join(rng.permutation(["the", "film", ".", "!", "very"])) for _ in letters]
    rows = zip(first, letters, strict=True)
    lines = [f"{text},{letter} {letter},{'hcafbged'.index(letter) / 2}" for text, letter in rows]
    return "\n".join(["sentence1,sentence2,score", *lines]) + "\n"


def labels(rng: np.random.Generator) -> str:
    """The label is what the second text says."""
    words = ["good", "bad"] * 40
    lines = [f"{rng.choice(list(LETTERS))} {rng.choice(list(LETTERS))} film,{word},{word}" for word in words]
    return "\n".join(["sentence1,sentence2,label", *lines]) + "\n"


SOURCES: dict[str, tuple[str, Callable[[np.random.Generator], str]]] = {
    "tagging": ("tags.txt", sentences),
    "span": ("questions.json", questions),
    "choice": ("choices.json", choices),
    "regression": ("scores.csv", scores),
    "classification": ("labels.csv", labels),
}


@pytest.fixture
def here(tmp_path: Path, tokenizer_json: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRADATIM_CACHE", str(tmp_path / "cache"))
    (tmp_path / "tokenizer.json").write_text(tokenizer_json)
    for kind, (name, make) in SOURCES.items():
        (tmp_path / name).write_text(make(np.random.default_rng(0)))
        (tmp_path / f"{kind}.toml").write_text(RECIPE.format(source=name, kind=kind))
    return tmp_path


def prepare(here: Path, kind: str, *changes: str) -> tuple[Prepared, RecipeFile]:
    read = read_recipe(here / f"{kind}.toml", changes)
    return read.objective.prepare(Materials(read.model, read.data, read.train)), read


@pytest.mark.parametrize(
    ("kind", "changes", "metric", "reached"),
    [
        ("tagging", (), "f1", 0.95),
        ("tagging", ("objective.context=document",), "f1", 0.95),
        ("tagging", ("objective.layers=embeddings", "train.rate=0.1"), "f1", 0.95),
        ("tagging", ("objective.layers=scalar mix", "objective.recurrent_width=8"), "f1", 0.9),
        ("span", (), "best_f1", 0.7),
        ("choice", (), "accuracy", 0.95),
        ("regression", (), "pearson", 0.95),
        ("regression", ("objective.metric=spearman",), "spearman", 0.95),
        ("classification", ("objective.metric=matthews",), "matthews", 0.95),
        ("classification", ("objective.metric=f1",), "f1", 0.95),
    ],
)
def test_a_kind_is_learned_and_scored_on_what_was_held_out(
    here: Path, kind: str, changes: tuple[str, ...], metric: str, reached: float
) -> None:
    made, read = prepare(here, kind, *changes)
    assert made.metrics is not None
    assert made.evaluate is not None
    assert made.metrics()[metric] < reached
    done = train(made.model, made.objective, read.train, evaluate=made.evaluate)
    assert done.score == made.metrics()[metric] >= reached
    assert kind != "span" or made.metrics()["f1"] >= reached
    made.save(here / "model")
    stored = read_model(here / "model")
    assert stored.config == made.config
    for name, tensor in made.model.state_dict().items():
        assert torch.equal(tensor, stored.model.state_dict()[name])


def capitalized(rng: np.random.Generator) -> str:
    """Entities are the words that begin with a capital, whatever these are."""
    words = [f"{rng.choice(list(LETTERS))} X O" for _ in range(320)]
    words = [f"{word[0].upper()} X I-PER" if rng.random() < 0.3 else word for word in words]
    return "\n\n".join("\n".join(words[i : i + 4]) for i in range(0, 320, 4)) + "\n"


@pytest.mark.parametrize("how", ["fine-tuned", "layers"])
def test_a_model_is_told_of_capitals_that_its_tokenizer_loses(here: Path, how: str) -> None:
    (here / "tags.txt").write_text(capitalized(np.random.default_rng(0)))
    more = ["objective.layers=last", "objective.recurrent_width=8"] if how == "layers" else []
    reached = {}
    for told in ("true", "false"):
        made, read = prepare(here, "tagging", f"objective.capitals={told}", *more)
        assert made.evaluate is not None
        reached[told] = train(made.model, made.objective, read.train, evaluate=made.evaluate).score
        made.save(here / told)
    assert reached["true"] == 1
    assert reached["false"] < 0.7
    tagger = gradatim.pipeline("ner", here / "true")
    assert [(one["start"], one["end"], one["entity"]) for one in tagger("a B c")] == [(2, 3, "B-PER")]
    assert tagger("a b c") == []
    with pytest.raises(CheckpointError):  # no published family tells its models of capitals
        family_of(read_model(here / "true").config)


@pytest.mark.parametrize(
    "path",
    sorted((Path(__file__).parents[3] / "benchmarks/recipes").glob("*.toml")),
    ids=lambda path: path.stem,
)
def test_the_ready_recipes_can_be_read(path: Path) -> None:
    model = read_recipe(path).model
    assert (model.from_ is None) != (model.preset is None)


def test_a_finished_run_leaves_its_metrics(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    read = read_recipe(here / "regression.toml", ["train.epochs=1"])
    done = run(read, here / "run")
    metrics = json.loads((here / "run" / "metrics.json").read_text())
    assert set(metrics) == {"pearson", "spearman"}
    assert metrics["pearson"] == pytest.approx(done.score)
    assert f"pearson {metrics['pearson']:.4f}" in capsys.readouterr().out


def test_a_frozen_body_stays_as_it_is(here: Path) -> None:
    made, read = prepare(here, "tagging", "objective.layers=last", "train.epochs=2")
    assert isinstance(made.model.body, FrozenReader)
    before = {name: tensor.clone() for name, tensor in made.model.state_dict().items()}
    train(made.model, made.objective, read.train)
    changed = {
        name for name, tensor in made.model.state_dict().items() if not torch.equal(tensor, before[name])
    }
    assert changed == {"head.linear.weight", "head.linear.bias", "body.marks.capitals.weight"}


@pytest.mark.parametrize(
    ("kind", "changes", "error", "said"),
    [
        ("classification", ("objective.metric=f2",), ConfigError, "unknown metric 'f2'; did you mean 'f1'"),
        (
            "tagging",
            ("objective.layers=sum of last four",),
            ConfigError,
            "needs 4 layers, and the body has 1",
        ),
        ("tagging", ("objective.recurrent_width=8",), ConfigError, "it needs `layers`"),
        ("tagging", ("objective.layers=first",), ConfigError, "layers must be 'embeddings' or"),
        ("tagging", ("data.source=none.txt",), DataError, "neither a file nor a known set"),
        ("tagging", ("data.source=squad/v1.1",), DataError, "nothing to train on"),
        ("choice", ("data.source=questions.json",), DataError, "questions.json"),
        ("regression", ('data.source=["scores.csv"]',), ConfigError, "not a list"),
        ("regression", ("data.source=labels.csv",), DataError, r"labels\.csv, line 2: .* is not a number"),
        ("span", ("objective.stride=12",), ConfigError, "stride 12 does not fit"),
    ],
)
def test_what_does_not_fit_is_refused(
    here: Path, monkeypatch: pytest.MonkeyPatch, kind: str, changes: tuple[str, ...], error: type[Exception], said: str
) -> None:  # fmt: skip
    monkeypatch.setenv("GRADATIM_DATA", str(here))
    (here / "squad").mkdir()
    (here / "squad/dev-v1.1.first-half.json.gz").touch()
    with pytest.raises(error, match=said):
        prepare(here, kind, *changes)


def test_what_is_named_for_a_split_is_that_split_or_all_there_is(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = SETS["conll2003"]
    monkeypatch.setenv("GRADATIM_DATA", str(here))
    for file in (file for files in given.values() for file in files):
        (here / file).parent.mkdir(exist_ok=True)
        with gzip.open(here / file, "wt") as stream:
            stream.write((here / "tags.txt").read_text())
    assert "test" not in given
    with pytest.raises(DataError, match="no test split"):
        prepare(here, "tagging", "data.test=conll2003")
    assert prepare(here, "tagging", "data.test=tags.txt")[0].test is not None
    assert prepare(here, "tagging")[0].test is None


def test_a_folder_has_the_splits_of_its_files(here: Path) -> None:
    (here / "folder").mkdir()
    for name in ("train", "dev", "test"):
        (here / "folder" / f"{name}.txt").write_text((here / "tags.txt").read_text())
    made, _ = prepare(here, "tagging", "data.source=folder")
    assert made.notes[0] == "80 sentences to train on, 80 of the dev split to evaluate on"
    assert made.test is not None


def test_a_dev_file_is_used_as_it_is(here: Path) -> None:
    made, _ = prepare(here, "tagging", "data.dev=tags.txt")
    assert made.notes[0] == "80 sentences to train on, 80 of tags.txt to evaluate on"


def test_every_window_that_holds_the_answer_points_at_it(tokenizer_json: str) -> None:
    context = "a b c d good film . e f g h a b c d e f g h"
    asked = [
        Question("bad", context, ((8, 18),)),
        Question("bad", context, ()),
        Question("a", "b c d", ((1, 4),)),
    ]
    pieces = PieceEncoder(tokenizer_json, max_length=16, stride=5)
    encoded = pieces.encode([q.question for q in asked], [q.context for q in asked], spans=True)
    rows = answer_rows(encoded, asked)
    starts = np.cumsum(encoded.arrays["lengths"]) - encoded.arrays["lengths"]
    wanted = ["good film", None, "c"]  # white space around an answer is no part of it
    found: dict[int, int] = {}
    for row, (first, last) in enumerate(rows):
        owner = int(encoded.owners[row])
        begin, end = (
            int(encoded.arrays[side][starts[row] + at]) for side, at in (("starts", first), ("ends", last))
        )
        if last > 0:
            assert asked[owner].context[begin:end] == wanted[owner]
            found[owner] = found.get(owner, 0) + 1
    assert (encoded.owners == 0).sum() > found[0] >= 1
    assert set(found) == {0, 2}


def test_sentences_of_a_document_are_read_together_while_there_is_room() -> None:
    groups = together([1, 1, 1, 2, 2, 3], [4, 5, 3, 9, 99, 1], room=10)
    assert groups == [[0, 1], [2], [3], [4], [5]]
    assert together([0, 0, 0], [1, 1, 1], room=3) == [[0, 1, 2]]


@pytest.mark.parametrize(
    ("kind", "changes", "parts"),
    [
        ("classification", ("distillation.hard=0.5",), {"soft/labels", "labels"}),
        (
            "tagging",
            ("distillation.hidden=1.0", "distillation.attention=1.0", "distillation.layers=[1]"),
            {"hidden", "attention"},
        ),
        ("span", ("distillation.cosine=1.0",), {"cosine"}),
        ("choice", (), set()),
        ("regression", (), set()),
    ],
)
def test_a_finished_model_teaches_a_recipe_of_any_kind(
    here: Path, kind: str, changes: tuple[str, ...], parts: set[str]
) -> None:
    run(read_recipe(here / f"{kind}.toml", ["model.num_layers=2", "train.epochs=2"]), here / "teacher")
    taught = ("distillation.teacher=teacher/model", "train.epochs=2", "train.log_every=1", *changes)
    done = run(read_recipe(here / f"{kind}.toml", taught), here / "student")
    assert np.isfinite(done.loss)
    first = json.loads((here / "student" / "log.jsonl").read_text().splitlines()[0])
    assert {name.removeprefix("loss/") for name in first if name.startswith("loss/")} >= parts
    with pytest.raises(ConfigError, match="no key 'temprature'; did you mean 'temperature'"):
        read_recipe(here / f"{kind}.toml", [*taught, "distillation.temprature=1"])


def test_inner_states_want_to_know_of_which_layers(here: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"\[distillation\] matching hidden states or attention needs `layers`"
    ):
        read_recipe(here / "tagging.toml", ["distillation.teacher=x", "distillation.hidden=1.0"])
    with pytest.raises(ConfigError, match="layers must be a list, each a whole number"):
        read_recipe(here / "tagging.toml", ["distillation.teacher=x", 'distillation.layers=["last"]'])


def test_a_teacher_of_another_kind_cannot_teach(here: Path) -> None:
    run(read_recipe(here / "regression.toml", ["train.epochs=1"]), here / "teacher")
    recipe = read_recipe(here / "tagging.toml", ["distillation.teacher=teacher/model"])
    with pytest.raises(ConfigError, match="kind classification is not tagging; labels"):
        run(recipe, here / "student")


@pytest.mark.parametrize("layers", ["[2]", "[0, 1]", "[-1]"])
def test_layers_that_a_teacher_or_a_student_does_not_have_are_refused(here: Path, layers: str) -> None:
    run(read_recipe(here / "tagging.toml", ["model.num_layers=2", "train.epochs=1"]), here / "teacher")
    taught = [
        "distillation.teacher=teacher/model",
        "distillation.hidden=1.0",
        f"distillation.layers={layers}",
    ]
    with pytest.raises(ConfigError, match="cannot teach"):
        run(read_recipe(here / "tagging.toml", taught), here / "student")


def test_what_is_asked_on_one_context_stays_on_one_side(here: Path) -> None:
    content = json.loads((here / "questions.json").read_text())
    for paragraph in content["data"][0]["paragraphs"]:
        paragraph["qas"] *= 5
    (here / "questions.json").write_text(json.dumps(content))
    read = read_recipe(here / "span.toml")
    train, dev, note = annotated(Materials(read.model, read.data, read.train), SPANS)
    assert (len(train), len(dev)) == (300, 100)
    assert not {one.context for one in train} & {one.context for one in dev}
    assert "one context together" in note
