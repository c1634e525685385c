"""The examples of docs/migrating.md run as they stand, with tiny models under the names that they give."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from reference_pipelines import VOCABULARY, write_language, write_model, write_tokenizer
from reference_tables import write_tapas

from gradatim.tasks import pipeline as opening
from gradatim.tasks.table import ALIASES

TEXT = (Path(__file__).parents[2] / "docs" / "migrating.md").read_text(encoding="utf-8")
BODY = "\n".join(re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)[1:])  # the first is what it was before
INFERENCE = {0: "contradiction", 1: "neutral", 2: "entailment"}


def write_t5(folder: Path) -> Path:
    """A tiny T5 that writes what it does anew for every task."""
    import transformers

    sizes = {"d_model": 24, "d_kv": 8, "d_ff": 40, "num_layers": 1, "num_heads": 3}
    own = {"translation_en_to_fr": {"prefix": "from : "}, "summarization": {"prefix": "this : "}}
    special = {"decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 3}
    config = transformers.T5Config(vocab_size=len(VOCABULARY), **sizes, **special, task_specific_params=own)
    transformers.T5ForConditionalGeneration(config).save_pretrained(folder)
    write_tokenizer(folder)
    return folder


MODELS: dict[str, Callable[[Path], Path]] = {
    "distilbert/distilbert-base-uncased-finetuned-sst-2-english": lambda at: write_model(
        at, "ForSequenceClassification"
    ),
    "cross-encoder/nli-distilroberta-base": lambda at: write_model(
        at,
        "ForSequenceClassification",
        id2label=INFERENCE,
        label2id={label: i for i, label in INFERENCE.items()},
    ),
    "dslim/bert-base-NER": lambda at: write_model(
        at, "ForTokenClassification", id2label={0: "O", 1: "B-PER", 2: "I-PER"}
    ),
    "google-bert/bert-base-uncased": lambda at: write_model(at, "ForMaskedLM"),
    "distilbert/distilbert-base-cased-distilled-squad": lambda at: write_model(at, "ForQuestionAnswering"),
    "google/tapas-base-finetuned-wtq": write_tapas,
    "google-t5/t5-small": write_t5,
    "openai-community/gpt2": write_language,
}


def named(answer: Any) -> set[str]:
    """The keys of all dictionaries in an answer."""
    if isinstance(answer, dict):
        return set(answer)
    return set().union(*map(named, answer)) if isinstance(answer, list) else set()


def documented(task: str) -> set[str]:
    """What the table of tasks says that the answers of one hold."""
    task = ALIASES.get(task, "translation" if task.startswith("translation_") else task)
    [row] = re.findall(rf"^\| `{task}` \|.*\| (.*) \|$", TEXT, re.MULTILINE)
    return set(re.findall(r"`(\w+)`", row))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_every_example_runs_and_answers_as_the_table_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def find(name: str) -> Path:
        folder = tmp_path / name
        if not folder.exists():
            folder.mkdir(parents=True)
            MODELS[name](folder)
        return folder

    monkeypatch.setattr(opening, "_find", find)
    space: dict[str, Any] = {"report": "the film was good . " * 9}
    tasks: dict[str, str] = {}
    for line in ast.parse(BODY).body:
        if isinstance(line, ast.Assign) and isinstance(line.value, ast.Call):
            tasks[ast.unparse(line.targets[0])] = ast.literal_eval(line.value.args[0])
        if not (isinstance(line, ast.Expr) and isinstance(line.value, ast.Call)):
            exec(ast.unparse(line), space)
            continue
        answer = eval(ast.unparse(line), space)
        task = tasks[ast.unparse(line.value.func)]
        assert named(answer), task
        assert named(answer) <= documented(task), task
    assert len(tasks) == len(MODELS) + 1, "T5 does two"
    assert not caplog.records
