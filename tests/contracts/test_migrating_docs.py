"""What docs/migrating.md says of tasks is what the table of tasks has."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

from gradatim.tasks.table import ALIASES, JOBS, find_task

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "migrating.md").read_text(encoding="utf-8")
MADE = {"next_sentence": "pretraining"}  # of a recipe's kind, where the model is called otherwise


def test_every_task_and_alias_is_in_the_table() -> None:
    assert set(re.findall(r"^\| `([\w-]+)` \|", TEXT, re.MULTILINE)) == set(JOBS)
    assert all(f"| `{alias}` |" in TEXT for alias in ALIASES)


def test_examples_can_be_read_and_name_tasks_that_exist() -> None:
    examples = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    calls = [node for text in examples for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    made = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "pipeline"]
    assert len({find_task(ast.literal_eval(call.args[0])) for call in made}) == len(made) == 9


def test_recipes_by_which_a_model_is_come_by_are_there_and_make_such_a_model() -> None:
    for task, job in JOBS.items():
        named = re.findall(r"gradatim train (\S+?\.toml)", job.advice)
        assert named or job.default, task
        for name in named:
            kind = tomllib.loads((ROOT / name).read_text(encoding="utf-8"))["objective"]["kind"]
            assert MADE.get(kind, kind) in job.kinds, task
