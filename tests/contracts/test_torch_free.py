"""The runtime works where nothing but the base installation is present."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gradatim.engine.artifact import write_artifact
from gradatim.tasks.open import load
from gradatim.types import Task

# Run in a process of its own: whatever asks for one of these modules is refused on the spot.
BLOCK = """
import importlib, pkgutil, sys

BLOCKED = {"torch", "transformers", "sklearn", "scipy", "datasets", "onnx", "pandas", "pyarrow", "matplotlib"}

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ImportError(f"{name} is not part of the base installation")

sys.meta_path.insert(0, Refuse())
try:
    import torch
except ImportError:
    pass
else:
    sys.exit("the block does not work")

"""
PROGRAM = f"""{BLOCK}
import gradatim
for room in ("errors", "types", "text", "engine", "ngram", "pipelines", "data", "vectors", "tasks"):
    module = importlib.import_module("gradatim." + room)
    for found in pkgutil.walk_packages(getattr(module, "__path__", []), "gradatim." + room + "."):
        importlib.import_module(found.name)

from gradatim.cli import main
main(sys.argv[1:])
"""


def run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, *args], capture_output=True, text=True, timeout=120
    )


TASKS = f"""{BLOCK}
import gradatim
[one] = gradatim.pipeline("sentiment-analysis", sys.argv[1])("good film " * 20)
short = gradatim.pipeline("summarization", sys.argv[2], max_new_tokens=3)(["good film ! bad film !"] * 2)
print(one["label"], short)
assert "torch" not in sys.modules
"""


def test_all_runtime_modules_and_a_prediction_without_torch(tiny_artifact: Path) -> None:
    done = run("predict", str(tiny_artifact), "good film")
    wanted = load(tiny_artifact)("good film")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{wanted.label}\t{wanted.score:.4f}\n"


@pytest.mark.parametrize("name", ["texts.csv", "texts.tsv", "texts.jsonl"])
def test_plain_files_are_read_and_written_without_torch(
    tiny_artifact: Path, tmp_path: Path, name: str
) -> None:
    source, target = tmp_path / name, tmp_path / "out.csv"
    lines = {"csv": 'id,text\n1,"good, film"\n', "tsv": "id\ttext\n1\tgood, film\n"}
    jsonl = '{"id": 1, "text": "good, film"}\n'
    source.write_text(lines.get(source.suffix[1:], jsonl), encoding="utf-8")
    done = run("predict", str(tiny_artifact), "--input", str(source), "--output", str(target))
    assert done.returncode == 0, done.stderr
    wanted = load(tiny_artifact)("good, film")
    rows = target.read_text(encoding="utf-8").splitlines()
    assert rows == [
        "id,text,prediction,probability", f'1,"good, film",{wanted.label},{wanted.score:.6f}',
    ]  # fmt: skip


def test_tasks_run_on_files_without_torch(tiny_artifact: Path, tmp_path: Path, tokenizer_json: str) -> None:
    path = tmp_path / "lead.gradatim"
    write_artifact(
        path, kind="lead", task=Task((), kind="seq2seq"), members={"tokenizer.json": tokenizer_json.encode()},
        encoder={
            "kind": "text2text", "max_length": 16, "start": 0, "end": 0, "longest": 16, "prefix": "", "count": None,
        },
        decision={"beams": 1},
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", TASKS, str(tiny_artifact), str(path)],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    label = load(tiny_artifact)("good film " * 20).label
    summaries = [{"summary_text": "[CLS] good film"}] * 2
    assert done.stdout == f"{label} {summaries}\n"
