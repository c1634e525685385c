"""What the documentation says of recipes is what recipes are."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

pytest.importorskip("datasets")
from gradatim.train.kinds import KINDS
from gradatim.train.recipe import Recipe
from gradatim.train.recipe_file import read_recipe
from gradatim.train.schedule import SCHEDULES

TEXT = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")


def test_the_example_can_be_read(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    (tmp_path / "recipe.toml").write_text(example, encoding="utf-8")
    read = read_recipe(tmp_path / "recipe.toml")
    assert read.distillation is not None
    assert read.distillation.teacher == "runs/large/model"


def test_every_kind_schedule_and_setting_of_training_is_named() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE)) == set(KINDS)
    assert all(schedule in TEXT for schedule in SCHEDULES)
    for setting in fields(Recipe):
        assert re.search(rf"(`{setting.name}`|^{setting.name} =)", TEXT, re.MULTILINE), setting.name


def test_every_rung_and_metric_of_labels_is_named() -> None:
    from gradatim.ladder.goals.labels import ENOUGH, FEW, LOPSIDED, LabelGoal
    from gradatim.pipelines.metrics import METRICS, higher_is_better

    text = (Path(__file__).parents[2] / "docs" / "classifying.md").read_text(encoding="utf-8")
    assert all(f"`{rung.name}`" in text for rung in LabelGoal.rungs)
    assert all(metric in text for metric in METRICS if higher_is_better(metric))
    assert all(f"{number:g}" in text for number in (FEW, ENOUGH, 100 * LOPSIDED))
