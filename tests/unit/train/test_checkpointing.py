"""Checkpoints appear whole, the last few are kept, and a run that stopped goes on as if it had not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from torch import Tensor

from gradatim.errors import CheckpointError, ConfigError
from gradatim.models.backbone import Backbone
from gradatim.models.classifier import Classifier
from gradatim.models.inputs import PackedTexts
from gradatim.models.presets import Sizes, bert
from gradatim.models.recurrent import RecurrentConfig
from gradatim.objectives.classification import Classification
from gradatim.train.checkpointing import Checkpoints
from gradatim.train.loop import train
from gradatim.train.recipe import Recipe
from gradatim.types import Encoded

VOCABULARY, TEXTS = 1100, 60  # large enough for sparse gradients


def objective(texts: int = TEXTS) -> Classification:
    rng = np.random.default_rng(0)
    lengths = rng.integers(2, 13, texts)
    arrays = {"ids": rng.integers(0, VOCABULARY, lengths.sum()), "lengths": lengths}
    return Classification(PackedTexts(Encoded(arrays, np.arange(texts), texts)), rng.integers(0, 3, texts))


def build(kind: str) -> Classifier:
    torch.manual_seed(0)
    if kind == "lstm":
        return Classifier(
            RecurrentConfig(
                vocab_size=VOCABULARY, width=8, hidden_width=8, bidirectional=True, dropout=0.3
            ).build(),
            16,
            3,
        )
    sizes = Sizes(vocab_size=VOCABULARY, num_layers=2, width=8, num_heads=2, ffn_width=16, max_length=13)
    return Classifier(Backbone(bert(sizes)), 8, 3)


def recipe(**changes: Any) -> Recipe:
    fixed = {
        "epochs": 4.0,
        "batch_size": 8,
        "rate": 0.01,
        "precision": "fp32",
        "save_every": 3,
        "log_every": 2,
    }
    return Recipe(**{**fixed, **changes})


def score(net: Classifier) -> Callable[[], float]:
    """Something that goes up and down."""
    return lambda: float(np.sin(1e3 * net.head.linear.weight.detach().double().sum().item()))


def run(
    kind: str, made: Recipe, folder: Path | None, *, stop: int = 10**9, resume: bool = False
) -> tuple[list[Tensor], Any]:
    """Train, or be interrupted before the end of a step."""
    net = build(kind)

    def interrupt(_share: float) -> None:
        nonlocal stop
        stop -= 1
        if stop == 0:
            raise KeyboardInterrupt

    done = train(
        net, objective(), made, folder=folder, resume=resume, progress=interrupt,
        evaluate=score(net) if made.evaluate_every else None,
    )  # fmt: skip
    return [p.detach() for p in net.parameters()], done


CHANGES: list[dict[str, Any]] = [
    {}, {"average": 0.5}, {"ema": 0.9}, {"precision": "bf16"}, {"accumulate": 3},
    {"unfreeze": True}, {"evaluate_every": 4}, {"evaluate_every": 2, "patience": 8, "ema": 0.9},
    {"evaluate_every": 2, "trigger": 2, "optimizer": "sgd"},
]  # fmt: skip


@pytest.mark.parametrize("kind", ["bert", "lstm"])
@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_a_resumed_run_is_as_one_that_never_stopped(
    tmp_path: Path, kind: str, changes: dict[str, Any]
) -> None:
    made = recipe(**changes)
    weights, done = run(kind, made, tmp_path / "whole")
    assert done.steps == 32 or (made.patience and done.steps > 11)
    parts = tmp_path / "parts"
    for stop in (8, 5):  # at 8 its last checkpoint is of step 6, at 11 of step 9
        with pytest.raises(KeyboardInterrupt):
            run(kind, made, parts, stop=stop, resume=True)
    resumed, again = run(kind, made, parts, resume=True)
    assert all(torch.equal(a, b) for a, b in zip(weights, resumed, strict=True))
    assert (again.steps, again.tokens, again.loss, again.score) == (
        done.steps,
        done.tokens,
        done.loss,
        done.score,
    )
    logs = [
        [{**json.loads(line), "tokens_per_s": 0} for line in (folder / "log.jsonl").read_text().splitlines()]
        for folder in (tmp_path / "whole", parts)
    ]
    assert logs[0] == logs[1]
    assert [line["step"] for line in logs[0]] == sorted({line["step"] for line in logs[0]})


def test_a_finished_run_resumes_to_its_end(tmp_path: Path) -> None:
    weights, done = run("bert", recipe(average=0.5), tmp_path)
    again, more = run("bert", recipe(average=0.5), tmp_path, resume=True)
    assert all(torch.equal(a, b) for a, b in zip(weights, again, strict=True))
    assert more.steps == done.steps


def test_checkpoints_do_not_change_a_run(tmp_path: Path) -> None:
    with_them, without = run("bert", recipe(), tmp_path)[0], run("bert", recipe(save_every=0), None)[0]
    assert all(torch.equal(a, b) for a, b in zip(with_them, without, strict=True))


@pytest.mark.parametrize(
    ("changes", "said"), [({"rate": 0.02}, "rate was 0.01, is 0.02"), ({"seed": 1}, "seed was 0, is 1")]
)
def test_another_recipe_is_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        run("bert", recipe(), tmp_path, stop=4)
    with pytest.raises(ConfigError, match=said):
        run("bert", recipe(**changes), tmp_path, resume=True)
    assert run("bert", recipe(log_every=5, save_every=7), tmp_path, resume=True)[1].steps == 32


def test_another_model_and_other_data_are_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run("bert", recipe(), tmp_path, stop=4)
    with pytest.raises(ConfigError, match="model changed"):
        run("lstm", recipe(), tmp_path, resume=True)
    with pytest.raises(ConfigError, match="lengths changed"):
        train(build("bert"), objective(50), recipe(), folder=tmp_path, resume=True)


def test_the_last_two_are_kept_and_leftovers_go(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    assert kept.load() is None
    (tmp_path / ".step-000000001.safetensors.ab.part").write_bytes(b"half of a")
    shared = torch.arange(6.0).view(2, 3)
    for step in (1, 2, 10):
        kept.save(step, {"a": shared.T * step, "b": torch.tensor(step)}, {"step": step})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "step-000000002.safetensors", "step-000000010.safetensors"
    ]  # fmt: skip
    stored = kept.load()
    assert stored is not None
    tensors, facts = stored
    assert facts == {"step": 10}
    assert torch.equal(tensors["a"], shared.T * 10)
    assert tensors["b"].item() == 10


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    kept.save(7, {"a": torch.zeros(3)}, {})
    path = tmp_path / "step-000000007.safetensors"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(CheckpointError, match="step-000000007"):
        kept.load()


def test_a_failed_write_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Checkpoints(tmp_path, keep=1)
    kept.save(1, {"a": torch.ones(3)}, {})

    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gradatim.train.checkpointing.save_file", full)
    with pytest.raises(OSError, match="No space"):
        kept.save(2, {"a": torch.zeros(3)}, {})
    stored = kept.load()
    assert stored is not None
    assert stored[0]["a"].tolist() == [1, 1, 1]


def test_a_full_disk_is_told_with_the_file_and_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, {"x": torch.ones(2)}, {})

    def full(*_: Any) -> None:
        raise SafetensorError("No space left on device")

    monkeypatch.setattr("gradatim.train.checkpointing.save_file", full)
    with pytest.raises(CheckpointError, match=r"step-000000002\.safetensors cannot be written.*No space"):
        checkpoints.save(2, {"x": torch.zeros(2)}, {})
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000001.safetensors"]


def test_a_run_goes_on_towards_what_it_began_with(tmp_path: Path) -> None:
    recipe = Recipe(epochs=1, batch_size=8, save_every=3, precision="fp32")
    train(
        build("lstm"),
        objective(),
        recipe,
        folder=tmp_path,
        said={"objective": {"smoothing": 0.0, "layers": (1, 2)}},
    )
    again = {"objective": {"smoothing": 0.0, "layers": (1, 2)}}
    train(build("lstm"), objective(), recipe, folder=tmp_path, resume=True, said=again)
    with pytest.raises(ConfigError, match=r"objective was .*0\.0.* is .*0\.1"):
        train(
            build("lstm"),
            objective(),
            recipe,
            folder=tmp_path,
            resume=True,
            said={"objective": {"smoothing": 0.1}},
        )
