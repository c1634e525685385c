"""Recipe files: what they may say, what is refused and how, and what each kind of objective builds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from gradatim.errors import ConfigError, DataError
from gradatim.models.classifier import Classifier
from gradatim.models.language import LanguageModel, Seq2Seq
from gradatim.models.session import TorchSession
from gradatim.objectives.masked import MaskedLanguage
from gradatim.train.build import Materials, Prepared
from gradatim.train.job import METRICS, run
from gradatim.train.journal import read_log
from gradatim.train.kinds import KINDS
from gradatim.train.loop import train
from gradatim.train.recipe_file import RecipeFile, read_recipe

RECIPE = """
[model]
preset = "bert"
num_layers = 1
width = 8
num_heads = 2
ffn_width = 16
[data]
source = "labelled.csv"
tokenizer = "tokenizer.json"
max_length = 16
[objective]
kind = "classification"
[train]
epochs = 2
rate = 1e-3
precision = "fp32"
"""


@pytest.fixture
def here(tmp_path: Path, tokenizer_json: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a recipe, its tokenizer, labelled texts and plain ones; the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRADATIM_CACHE", str(tmp_path / "cache"))
    (tmp_path / "recipe.toml").write_text(RECIPE)
    tokenizer = Tokenizer.from_str(tokenizer_json)
    tokenizer.add_special_tokens(["[MASK]", "</s>", "<pad>", *(f"<extra_id_{i}>" for i in range(9))])
    tokenizer.save("tokenizer.json")
    rng = np.random.default_rng(0)
    words = [*["the", "film", "is", "not", "very"], *"abcdef"]
    texts = [" ".join(rng.choice(words, 9)) + " ." for _ in range(60)]
    rows = [f"{text} {word},{word}" for text, word in zip(texts, ["good", "bad"] * 30, strict=True)]
    (tmp_path / "labelled.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    for name in ("one.txt", "two.txt", "three.txt", "four.txt"):
        (tmp_path / name).write_text(" ".join(rng.permutation(texts)) + "\n")
    return tmp_path


def test_a_recipe_is_read_and_changed_from_outside(here: Path) -> None:
    read = read_recipe(
        here / "recipe.toml", ["train.rate=5e-4", "objective.metric=macro_f1", "train.unfreeze=true"]
    )
    assert isinstance(read, RecipeFile)
    assert (read.train.rate, read.train.epochs, read.train.unfreeze) == (5e-4, 2, True)
    assert (read.model.preset, read.data.source) == ("bert", "labelled.csv")
    assert read.objective == KINDS["classification"](metric="macro_f1")


def test_names_of_files_may_hold_variables(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE", str(here))
    (here / "dev.csv").write_text((here / "labelled.csv").read_text())
    changes = [f"data.{key}=$MINE/{name}" for key, name in (("source", "labelled.csv"), ("dev", "dev.csv"))]
    prepared, _ = prepare(here, *changes)
    assert prepared.metrics is not None
    assert set(prepared.metrics()) >= {"accuracy"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("train.rat=1", r"recipe.toml: \[train\] has no key 'rat'; did you mean 'rate'"),
        ("model.widht=1", r"\[model\] has no key 'widht'; did you mean 'width'"),
        ("objective.smothing=0.1", r"kind classification has no key 'smothing'; did you mean 'smoothing'"),
        ("objective.kind=mask", "not 'mask'; did you mean 'masked'"),
        ("trian.rate=1", r"no section \[trian\] is known; did you mean 'train'"),
        ("train.epochs=many", r"\[train\] epochs must be a number, not 'many'"),
        ("train.batch_size=2.5", "batch_size must be a whole number"),
        ("train.unfreeze=1", "unfreeze must be true or false"),
        ("model.pooling=middle", "pooling must be 'first' or"),
        ("data.source=[1]", "source must be a string or a list, each a string"),
        ("train.rate=-1", r"recipe.toml: \[train\] rate must be above 0"),
        ("model.pooling=[]", "pooling must be at least one"),
        ("model.decoder_layers=2", "decoder_layers: a model of kind classification has no decoder"),
        ("data.dev_share=1.5", r"recipe.toml: \[data\] dev_share"),
        ("data.lines=true", r"\[data\] lines: nothing is read of that for kind classification"),
        (
            "objective.kind=causal data.test=three.txt",
            r"\[data\] test: nothing is read of that for kind causal",
        ),
        ("data.max_length=0", "max_length must be at least 1"),
        ("rate=1", "write section.key=value"),
        ("train.rate", "write section.key=value"),
    ],
)
def test_what_is_wrong_is_refused_by_file_and_key(here: Path, change: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_recipe(here / "recipe.toml", change.split())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[model\n", "is not TOML"), ("train = 3\n", "must be a section"), ("", "kind must be one of"),
        ('[objective]\nkind = "causal"\n', "lacks source"),
    ],
)  # fmt: skip
def test_a_broken_file_is_refused(here: Path, text: str, said: str) -> None:
    (here / "recipe.toml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_recipe(here / "recipe.toml")
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read"):
        read_recipe(here / "none.toml")


def prepare(here: Path, *changes: str) -> tuple[Prepared, RecipeFile]:
    read = read_recipe(here / "recipe.toml", changes)
    return read.objective.prepare(Materials(read.model, read.data, read.train)), read


PLAIN = ('data.source=["*o*.txt", "three.txt"]', "data.dev_share=0.25")
PRIMED = ("objective.tied=false", "objective.primed=true")


@pytest.mark.parametrize(
    ("changes", "model"),
    [
        (("objective.metric=log_loss",), Classifier),
        (("objective.kind=causal", "model.preset=gpt2", *PLAIN), LanguageModel),
        (("objective.kind=masked", *PLAIN), LanguageModel),
        (("objective.kind=masked", "objective.whole_words=true", *PLAIN), LanguageModel),
        (("objective.kind=next_sentence", *PLAIN), LanguageModel),
        (("objective.kind=span_corruption", "model.preset=t5", *PLAIN), Seq2Seq),
    ],
    ids=["classification", "causal", "masked", "whole words", "next sentence", "span corruption"],
)
def test_every_kind_builds_trains_is_scored_and_can_be_started_from(
    here: Path, changes: tuple[str, ...], model: type
) -> None:
    made, read = prepare(here, *changes, "train.batch_size=8")
    assert isinstance(made.model, model)
    assert made.evaluate is not None
    before = made.evaluate()
    train(made.model, made.objective, read.train)
    assert made.evaluate() != before
    made.save(here / "model")
    without_preset()
    again, _ = prepare(here, "model.from=model", *(change for change in changes if "preset" not in change))
    stored, fresh = made.model.state_dict(), again.model.state_dict()
    same = [name for name in stored if torch.equal(stored[name], fresh[name])]
    heads = [name for name in stored if name.startswith("head.")]
    assert set(same) == set(stored) - (set(heads) if model is Classifier else set())


def without_preset() -> None:
    """Take preset and sizes out of the recipe, as one that starts from a folder has none."""
    text = Path("recipe.toml").read_text()
    start, end = text.index("preset"), text.index("[data]")
    Path("recipe.toml").write_text(text[:start] + text[end:])


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        (("objective.kind=masked",), "body"),
        (("objective.kind=causal", "model.preset=gpt2"), "body"),
        (("objective.kind=span_corruption", "model.preset=t5"), "encoder"),
    ],
    ids=["bert", "gpt", "t5"],
)
def test_a_pretrained_body_carries_over_to_another_objective(
    here: Path, changes: tuple[str, ...], part: str
) -> None:
    made, _ = prepare(here, *changes, *PLAIN)
    made.save(here / "model")
    without_preset()
    tuned, _ = prepare(here, "model.from=model")
    assert isinstance(tuned.model, Classifier)
    for name, tensor in made.model.get_submodule(part).state_dict().items():
        assert torch.equal(tensor, tuned.model.body.state_dict()[name])


def test_documents_are_held_out_whole(here: Path) -> None:
    read = read_recipe(here / "recipe.toml", ["objective.kind=masked", *PLAIN])
    train_texts, dev = Materials(read.model, read.data, read.train).documents()
    files = {(here / f"{name}.txt").read_text() for name in ("one", "two", "three", "four")}
    assert (len(train_texts), len(dev)) == (3, 1)
    assert {*train_texts, *dev} == files


def test_masks_spare_special_tokens(here: Path) -> None:
    made, _ = prepare(here, "objective.kind=masked", *PLAIN)
    assert isinstance(made.objective, MaskedLanguage)
    batch = made.objective.collate(np.arange(4), seed=5)
    specials = torch.tensor(made.objective.masking.specials)
    assert not torch.isin(batch.targets["masked"], specials).any()
    assert (batch.inputs.layout.lengths <= 16).all()


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        (("objective.kind=causal", *PLAIN), ConfigError, "reads one way"),
        (("objective.kind=masked", "model.preset=gpt2", *PLAIN), ConfigError, "reads both ways"),
        (("model.preset=brt",), ConfigError, "did you mean 'bert'"),
        (
            ("model.hidden_width=5", "model.kernel=3"),
            ConfigError,
            "preset 'bert' has no hidden_width, kernel",
        ),
        (
            ("objective.kind=span_corruption", "model.preset=t5", "model.attention=bahdanau", *PLAIN),
            ConfigError,
            "attention is chosen for a recurrent",
        ),
        (
            ("objective.kind=span_corruption", "model.preset=transformer", *PRIMED, *PLAIN),
            ConfigError,
            "primed is for preset t5",
        ),
        (("model.from=model",), ConfigError, "either `preset` or `from`"),
        (("data.max_length=900",), ConfigError, "more than the model's 512"),
        (("objective.kind=masked", "data.source=*.text"), DataError, "no file matches"),
        (('data.source=["labelled.csv"]', "objective.kind=regression"), ConfigError, "not a list"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    here: Path, changes: tuple[str, ...], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        prepare(here, *changes)


def test_only_a_t5_that_asks_for_it_is_primed(here: Path) -> None:
    for changes, same in ((), False), (PRIMED, True):
        made, _ = prepare(here, "objective.kind=span_corruption", "model.preset=t5", *PLAIN, *changes)
        words = cast(Seq2Seq, made.model).encoder.embedding.words.weight
        assert (words[:, 0].unique().numel() == 1) == same


def test_a_published_size_needs_no_sizes_and_takes_changes(here: Path) -> None:
    without_preset()
    read = read_recipe(
        here / "recipe.toml", ["model.preset=bert-base", "model.num_layers=2", "model.activation=relu"]
    )
    config: Any = read.model.body(100)
    assert (config.num_layers, config.width, config.embedding.vocab_size) == (2, 768, 100)
    assert config.block.activation == "relu"
    with pytest.raises(ConfigError, match="give num_layers, width, num_heads, ffn_width"):
        read_recipe(here / "recipe.toml", ["model.preset=bert"]).model.body(100)


def test_a_classifier_learns_from_several_sets_joined(here: Path) -> None:
    (here / "more.csv").write_text(
        "text,label\n" + "".join(f"the film {i},{'so' * (i % 2)}so\n" for i in range(40))
    )

    def prepare(*changes: str) -> Prepared:
        read = read_recipe(here / "recipe.toml", ['data.source=["labelled.csv", "more.csv"]', *changes])
        return read.objective.prepare(Materials(read.model, read.data, read.train))

    made = prepare()
    assert made.config.labels == ("bad", "good", "so", "soso")
    assert len(made.objective.sizes) == 48 + 32
    assert any(note.startswith("more: ") for note in made.notes)
    with pytest.raises(ConfigError, match="belong to one source"):
        prepare("data.dev=more.csv")


def test_the_best_weights_are_not_judged_again(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judged, known = 0, TorchSession.run

    def counted(self: TorchSession, arrays: Any) -> Any:
        nonlocal judged
        judged += 1
        return known(self, arrays)

    monkeypatch.setattr(TorchSession, "run", counted)
    done = run(read_recipe(here / "recipe.toml", ["train.evaluate_every=1", "train.rate=0.1"]), here / "run")
    scores = [record["score"] for record in read_log(here / "run" / "log.jsonl") if "score" in record]
    assert len(scores) > 1
    assert judged == len(scores)
    found = json.loads((here / "run" / METRICS).read_text())
    assert found["accuracy"] == done.score == max(scores)
    made, read = prepare(here, "train.evaluate_every=1", "train.rate=0.1")
    train(made.model, made.objective, read.train, evaluate=made.evaluate)
    assert made.metrics is not None
    assert found == made.known[max(scores)] == made.metrics()
