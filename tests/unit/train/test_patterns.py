"""Recurrent patterns by recipe: a sequence to one as long, a vector to a sequence; and averaging by trigger."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from gradatim.checkpoint.config import ModelConfig
from gradatim.checkpoint.folder import read_model, save_model
from gradatim.errors import ConfigError, DataError
from gradatim.models.backbone import Backbone
from gradatim.models.inputs import PackedTexts
from gradatim.models.language import VectorDecoder
from gradatim.models.presets import Sizes, bert
from gradatim.models.recurrent import RecurrentConfig
from gradatim.objectives.from_vectors import TextFromVector
from gradatim.train.averaging import Average
from gradatim.train.job import run
from gradatim.train.kinds.vectors import decode, scores
from gradatim.train.loop import train
from gradatim.train.recipe import Recipe
from gradatim.train.recipe_file import read_recipe
from gradatim.types import Array, Encoded

pytest.importorskip("datasets")
TAGS = """
[model]
preset = "bilstm"
width = 16
hidden_width = 16
[data]
source = "tags.conllu"
test = "tags.conllu"
tokenizer = "tokenizer.json"
dev_share = 0.25
[objective]
kind = "tagging"
[train]
epochs = 15
batch_size = 8
rate = 2e-2
precision = "fp32"
"""
SENTENCES = """
[model]
preset = "lstm"
width = 32
hidden_width = 32
[data]
source = "lines.txt"
lines = true
dev_share = 0.1
tokenizer = "tokenizer.json"
[objective]
kind = "vector_to_text"
encoder = "encoder"
[train]
epochs = 2
rate = 1e-2
precision = "fp32"
"""


@pytest.fixture
def here(tmp_path: Path, tokenizer_json: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tokenizer.json").write_text(tokenizer_json)
    return tmp_path


def test_parts_of_speech_are_learned_and_tested(here: Path) -> None:
    """A letter is a noun, but a verb after `not`."""
    rng, lines = np.random.default_rng(0), []
    for _ in range(80):
        before = ""
        for number in range(1, 7):
            word = str(rng.choice(["not", *"abcd"]))
            tag = "PART" if word == "not" else "VERB" if before == "not" else "NOUN"
            lines.append("\t".join([str(number), word, word, tag, *"______"]))
            before = word
        lines.append("")
    (here / "tags.conllu").write_text("\n".join(lines) + "\n")
    (here / "tags.toml").write_text(TAGS)
    run(read_recipe(here / "tags.toml"), here / "run")
    metrics = json.loads((here / "run" / "metrics.json").read_text())
    assert metrics.keys() == {"accuracy", "test_accuracy"}
    assert min(metrics.values()) > 0.97
    assert read_model(here / "run" / "model").config.labels == ("NOUN", "PART", "VERB")


def texts(rng: np.random.Generator, count: int = 40) -> PackedTexts:
    lengths = rng.integers(1, 6, count)
    arrays = {"ids": rng.integers(1, 12, lengths.sum()), "lengths": lengths}
    return PackedTexts(Encoded(arrays, np.arange(count), count))


def decoder() -> VectorDecoder:
    torch.manual_seed(0)
    config = RecurrentConfig(vocab_size=12, width=32, hidden_width=48, num_layers=2)
    made = ModelConfig(kind="vector_to_text", body=config, vector_width=16).build()
    assert isinstance(made, VectorDecoder)
    return made


def test_a_vector_gives_its_text_back() -> None:
    rng = np.random.default_rng(0)
    held, vectors = texts(rng), rng.normal(size=(40, 16)).astype(np.float32)
    model = decoder()
    objective = TextFromVector(held, vectors, end_id=0)
    train(model, objective, Recipe(epochs=150, batch_size=20, rate=1e-2, precision="fp32"))
    rows = np.split(held.ids, np.cumsum(held.sizes)[:-1])
    said = decode(model, vectors, end=0, longest=6)
    assert np.mean([one == other.tolist() for one, other in zip(said, rows, strict=True)]) > 0.9
    assert decode(model, vectors[3:4], end=0, longest=6) == said[3:4]
    assert max(map(len, decode(model, vectors, end=0, longest=2))) == 2


def test_every_word_and_the_end_are_predicted_from_those_before() -> None:
    held = texts(np.random.default_rng(1), 5)
    objective = TextFromVector(held, np.zeros((5, 16)), end_id=0)
    batch = objective.collate(np.array([3, 1]))
    row = np.split(held.ids, np.cumsum(held.sizes)[:-1])
    assert batch.targets["next"].tolist() == [*row[3], 0, *row[1], 0]
    assert batch.inputs.ids.tolist() == [0, *row[3], 0, *row[1]]
    with pytest.raises(DataError, match="one for each"):
        TextFromVector(held, np.zeros((4, 16)), end_id=0)


def test_a_text_is_written_from_its_vector_as_it_is_read_at_once() -> None:
    held, model = texts(np.random.default_rng(2), 3), decoder().eval()
    objective = TextFromVector(held, np.random.default_rng(3).normal(size=(3, 16)), end_id=0)
    batch = objective.collate(np.arange(3))
    whole = model.head(objective.states(model, batch)["next"]).split(objective.sizes.tolist())
    for row, (vector, logits) in enumerate(zip(objective.vectors, whole, strict=True)):
        ids = batch.inputs.ids.split(objective.sizes.tolist())[row]
        state = model.start(vector[None])
        steps = [model.advance(one[None], state) for one in ids]
        torch.testing.assert_close(torch.cat(steps), logits, rtol=1e-4, atol=1e-5)
        again = model.start(vector[None].expand(2, -1)).reorder(torch.tensor([1]))
        torch.testing.assert_close(model.advance(ids[:1], again), steps[0], rtol=1e-4, atol=1e-5)


def test_a_decoder_of_vectors_is_saved_and_read(tmp_path: Path) -> None:
    model = decoder()
    assert ModelConfig.of(model).vector_width == 16
    save_model(model, tmp_path)
    again = read_model(tmp_path).model
    assert isinstance(again, VectorDecoder)
    x = torch.randn(3, 16)
    for one, other in zip(model.start(x).tensors, again.start(x).tensors, strict=True):
        torch.testing.assert_close(one, other)


def test_a_recipe_turns_vectors_into_text(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    encoder = Backbone(
        bert(Sizes(vocab_size=64, num_layers=1, width=16, num_heads=2, ffn_width=16, max_length=24))
    )
    save_model(encoder, here / "encoder", family="bert")
    (here / "encoder" / "tokenizer.json").write_text((here / "tokenizer.json").read_text())
    rng = np.random.default_rng(0)
    lines = [" ".join(rng.choice(["good", "bad", "film", "not"], 3)) for _ in range(60)]
    (here / "lines.txt").write_text("\n".join(lines) + "\n")
    (here / "lines.toml").write_text(SENTENCES)
    run(read_recipe(here / "lines.toml"), here / "run")
    assert json.loads((here / "run" / "metrics.json").read_text()).keys() == {"bleu", "exact"}
    assert capsys.readouterr().out.count("->") == 6
    with pytest.raises(ConfigError, match="one way"):
        run(read_recipe(here / "lines.toml", ["model.preset=bilstm"]), here / "other")


def test_scores_of_sentences() -> None:
    assert scores(["a b c d", "x"], ["a b c d", "y"])["exact"] == 0.5
    assert scores(["the cat sat on the mat"], ["the cat sat on the mat"])["bleu"] == pytest.approx(100)


class Walk:
    """An objective-free stand-in: weights that wander, so that averages are known."""

    def __init__(self) -> None:
        self.layer = torch.nn.Linear(1, 1, bias=False)

    def put(self, value: float) -> None:
        torch.nn.init.constant_(self.layer.weight, value)


def test_an_average_is_applied_for_a_while() -> None:
    walk = Walk()
    average = Average(walk.layer, start=0)
    for step, value in enumerate((1.0, 2.0, 6.0)):
        walk.put(value)
        average.update(step)
    with average.applied():
        assert walk.layer.weight.item() == pytest.approx(3.0)
    assert walk.layer.weight.item() == 6.0


def noisy(seed: int = 0) -> tuple[TextFromVector, Array]:
    rng = np.random.default_rng(seed)
    return TextFromVector(texts(rng), rng.normal(size=(40, 16)), end_id=0), rng.normal(size=40)


def test_the_trigger_averages_from_when_scores_stop_rising() -> None:
    objective, _ = noisy()
    falling = iter([5.0, 4.0, 3.0, *range(2, -100, -1)])
    seen: list[float] = []
    model = decoder()

    def score() -> float:
        seen.append(model.enter.weight[0, 0].item())
        return float(next(falling))

    recipe = Recipe(
        epochs=6, batch_size=10, rate=0.5, optimizer="sgd", schedule="constant", warmup=0.0, evaluate_every=2,
        trigger=2, precision="fp32",
    )  # fmt: skip
    current: list[float] = []
    train(
        model,
        objective,
        recipe,
        evaluate=score,
        progress=lambda _: current.append(model.enter.weight[0, 0].item()),
    )
    # Evaluated after steps 2, 4, 6, ...: the third finds two without a new best, and the average begins after it.
    for evaluation, value in enumerate(seen):
        step = 2 * (evaluation + 1)
        mean = np.mean(current[6:step]) if step > 6 else current[step - 1]
        assert value == pytest.approx(mean, abs=1e-6)
    assert model.enter.weight[0, 0].item() == seen[0]  # the best of all evaluations is kept
