"""Model folders of every kind that reads, as one file that runs without torch and answers alike."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
import torch
from typer.testing import CliRunner

import gradatim
from gradatim.checkpoint.config import ModelConfig
from gradatim.checkpoint.folder import save_model
from gradatim.cli import app
from gradatim.models.elmo import ElmoConfig
from gradatim.models.presets import Sizes, bert
from gradatim.pipelines.denotation import denoted
from gradatim.pipelines.tables import grid_of
from gradatim.text.grids import CELL, GridConfig
from gradatim.text.tokenizer import PRESETS, train_tokenizer
from gradatim.types import MARKS

TOKENIZER = train_tokenizer(["the cat sat on a mat in Rome ."] * 3, PRESETS["bert"], size=80)
BODY = bert(Sizes(vocab_size=80, num_layers=4, width=12, num_heads=2, ffn_width=16, max_length=20))
TEXT = "The cat sat on a mat in Rome. " * 6
QUESTION = {"question": "Who sat?", "context": TEXT}
CHOICE = {"prompt": "The cat", "choices": ["sat.", "flew away."]}
TAGS = {"num_outputs": 3, "labels": ("O", "B-LOC", "I-LOC")}
KINDS: dict[str, tuple[dict[str, Any], str, list[Any], dict[str, Any]]] = {
    "tagging": (TAGS, "ner", [TEXT, "a mat"], {"ignore_labels": []}),
    "span": ({"num_outputs": 2}, "question-answering", [QUESTION, {**QUESTION, "context": "on a mat"}], {"top_k": 3}),
    "choice": ({"num_outputs": 1, "inner": "tanh"}, "multiple-choice", [CHOICE, CHOICE], {}),
    "masked": ({}, "fill-mask", [f"{TEXT} the [MASK] sat", "[MASK] [MASK]"], {"top_k": 3}),
    "pretraining": ({}, "fill-mask", [f"the [MASK] sat {TEXT}"], {}),
    "body": ({}, "feature-extraction", [TEXT, "a mat"], {}),
    "classification": (
        {"num_outputs": 2, "inner": "tanh", "labels": ("no", "yes")}, "text-classification",
        [TEXT, {"text": "a mat", "text_pair": "in Rome"}], {"top_k": None},
    ),
}  # fmt: skip


def folder(root: Path, kind: Any, body: Any = BODY, **fields: Any) -> Path:
    """Our own folder of a tiny model whose weights matter."""
    torch.manual_seed(1)
    config = ModelConfig(kind=kind, body=body, **fields)
    model = config.build()
    for part in model.modules():
        if isinstance(part, torch.nn.Linear | torch.nn.Embedding):
            torch.nn.init.normal_(part.weight, std=0.3)
    save_model(model, root / kind, config=config)
    (root / kind / "tokenizer.json").write_text(TOKENIZER.to_str(), encoding="utf-8")
    return root / kind


def convert(*arguments: object) -> None:
    said = CliRunner().invoke(app, ["convert", *map(str, arguments)])
    assert said.exit_code == 0, said.output


def same(ours: Any, theirs: Any) -> None:
    """Equal but for what is a number."""
    assert type(ours) is type(theirs)
    if isinstance(ours, dict):
        assert ours.keys() == theirs.keys()
        for name, value in ours.items():
            same(value, theirs[name])
    elif isinstance(ours, list) and ours and not isinstance(ours[0], float):
        for one, other in zip(ours, theirs, strict=True):
            same(one, other)
    elif isinstance(ours, float | list):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
    else:
        assert ours == theirs


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_answers_as_its_folder(tmp_path: Path, kind: str) -> None:
    fields, task, inputs, options = KINDS[kind]
    source, file = folder(tmp_path, kind, **fields), tmp_path / f"{kind}.gradatim"
    convert(source, file)
    wanted = gradatim.pipeline(task, source)(inputs, **options)
    same(gradatim.pipeline(task, file)(inputs, **options), wanted)
    first = gradatim.pipeline(model=file)
    assert type(first) is type(gradatim.pipeline(task, file))


def test_elmo_reads_letters_from_a_file_too(tmp_path: Path) -> None:
    torch.manual_seed(1)
    words = train_tokenizer([TEXT] * 3, PRESETS["elmo"], size=80)
    body = ElmoConfig(vocab_size=80, width=12, filters=((1, 5), (3, 7)))
    for kind, task, layers, width in (
        ("tagging", "ner", "scalar mix", 0),
        ("tagging", "ner", "sum of all", 11),
        ("classification", "text-classification", "last", 0),
        ("classification", "text-classification", None, 0),
    ):
        labels = ("O", "B-LOC", "I-LOC")
        config = ModelConfig(
            kind=kind, body=body, layers=layers, recurrent_width=width, num_outputs=3, labels=labels,
            pooling=("mean", "max"),
        )  # fmt: skip
        source, file = tmp_path / "elmo", tmp_path / "elmo.gradatim"
        save_model(config.build(), source, config=config)
        (source / "tokenizer.json").write_text(words.to_str(), encoding="utf-8")
        convert(source, file)
        ours, theirs = (gradatim.pipeline(task, path) for path in (file, source))
        options = {"ignore_labels": []} if task == "ner" else {"top_k": None}
        same(ours([TEXT, "a hat"], **options), theirs([TEXT, "a hat"], **options))


def test_a_file_that_reads_pairs_as_well_is_evaluated_and_predicts_with_both_texts(tmp_path: Path) -> None:
    fields = KINDS["classification"][0]
    source, file, rows = (
        folder(tmp_path, "classification", **fields),
        tmp_path / "a.gradatim",
        tmp_path / "rows.csv",
    )
    convert(source, file)
    pairs = [("a mat", "the cat sat"), ("in Rome", "a cat"), ("the mat", "sat on a mat in Rome")]
    wanted = [
        answer["score"] if answer["label"] == "yes" else 1 - answer["score"]
        for answer in gradatim.pipeline("text-classification", source)(
            [{"text": text, "text_pair": pair} for text, pair in pairs]
        )
    ]
    rows.write_text("text1,text2,label\n" + "".join(f"{text},{pair},yes\n" for text, pair in pairs))
    said = CliRunner().invoke(app, ["evaluate", str(file), str(rows), "--json"])
    found = json.loads(said.stdout)["log_loss"]
    assert found == pytest.approx(-np.log(wanted).mean(), rel=1e-4)
    out = tmp_path / "out.jsonl"
    said = CliRunner().invoke(
        app, ["predict", str(file), "--input", str(rows), "--output", str(out), "--top-k", "2"]
    )
    assert said.exit_code == 0, said.output
    scores = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(scores) == len(pairs)
    assert len({json.dumps(row, sort_keys=True) for row in scores}) == len(pairs)


def test_regressions_and_several_labels_stay_what_they_are(tmp_path: Path) -> None:
    source = folder(tmp_path, "classification", num_outputs=1)
    file = tmp_path / "number.gradatim"
    convert(source, file)
    ours, theirs = (gradatim.pipeline("text-classification", path)(TEXT) for path in (file, source))
    same(ours, theirs)
    assert gradatim.load(file).reader.problem == "regression"


def test_a_file_in_8_bits_is_fitted_to_texts(tmp_path: Path) -> None:
    source, file = folder(tmp_path, "tagging", **TAGS), tmp_path / "tags.gradatim"
    texts = tmp_path / "texts.txt"
    texts.write_text("the cat sat\non a mat in Rome\n" * 5, encoding="utf-8")
    convert(source, file, "--int8", texts)
    exact, rounded = (gradatim.pipeline("ner", path, ignore_labels=[])(TEXT) for path in (source, file))
    assert [one["word"] for one in exact] == [one["word"] for one in rounded]
    agree = [one["entity"] == other["entity"] for one, other in zip(exact, rounded, strict=True)]
    assert np.mean(agree) > 0.7
    pairs = tmp_path / "pairs.txt"
    pairs.write_text("the cat\tsat\non a mat\n", encoding="utf-8")
    said = CliRunner().invoke(app, ["convert", str(source), str(file), "--int8", str(pairs)])
    assert said.exit_code != 0


TABLES: list[dict[str, Any]] = [
    {
        "query": "the cat sat in 7 ?",
        "table": {"cat": ["mat", "the", "7"] * 9, "a": ["5", "12", "on mat sat"] * 9},
    },
    {"query": "Rome", "table": {"on a": ["Rome", "", "3"]}},
]


def table_folder(root: Path, aggregations: int, **fields: Any) -> Path:
    embedding = replace(
        BODY.embedding, marks=dict.fromkeys(MARKS, 12), restart=CELL, max_length=40, num_segments=2
    )
    body = replace(BODY, embedding=embedding)
    grid = GridConfig(max_rows=12, max_columns=5, **fields)
    labels = ("none", "sum", "count")[:aggregations]
    return folder(root, "table", body, num_outputs=aggregations, labels=labels, grid=grid)


@pytest.mark.parametrize(
    ("aggregations", "fields"),
    [
        (3, {"temperature": 0.5, "plain": 0}),
        (3, {"temperature": 0.5, "rows": True}),
        (0, {"one_column": False}),
    ],
)
def test_a_model_of_tables_becomes_a_file_too(
    tmp_path: Path, aggregations: int, fields: dict[str, Any]
) -> None:
    source, file = table_folder(tmp_path, aggregations, **fields), tmp_path / "table.gradatim"
    convert(source, file)
    theirs, ours = (gradatim.pipeline("table-question-answering", path) for path in (source, file))
    encoded, _ = theirs._encoded([(grid_of(one["table"]), one["query"]) for one in TABLES], False)
    assert len(encoded.owners) > len(TABLES)  # a table in windows
    wanted, found = theirs.run(encoded), ours.run(encoded)
    assert found.keys() == wanted.keys()
    assert ("aggregation" in found) == bool(aggregations)
    for name, values in wanted.items():
        np.testing.assert_allclose(found[name], values, atol=1e-4)
    assert ours(TABLES) == theirs(TABLES) == gradatim.load(file)(TABLES)
    asked = [TABLES[0]["query"], "the mat"]
    both = [one(TABLES[0]["table"], asked, sequential=True) for one in (ours, theirs)]
    assert both[0] == both[1]


def test_a_model_of_tables_in_8_bits(tmp_path: Path) -> None:
    source, file = table_folder(tmp_path, 3), tmp_path / "table.gradatim"
    (tmp_path / "table.csv").write_text("cat,a\nmat,5\nthe,12\n" * 4, encoding="utf-8")
    lines = tmp_path / "asked.txt"
    lines.write_text(f"the cat sat in 7\t{tmp_path / 'table.csv'}\n" * 3, encoding="utf-8")
    convert(source, file, "--int8", lines)
    exact, rounded = (gradatim.pipeline("table-question-answering", path) for path in (source, file))
    encoded, _ = exact._encoded([(grid_of(one["table"]), one["query"]) for one in TABLES], False)
    for name, wanted in exact.run(encoded).items():
        assert np.abs(rounded.run(encoded)[name] - wanted).mean() < 0.3 * wanted.std()
    lines.write_text("the cat sat in 7\n", encoding="utf-8")
    said = CliRunner().invoke(app, ["convert", str(source), str(file), "--int8", str(lines)])
    assert said.exit_code != 0


@pytest.mark.parametrize("kind", ["masked", "body"])
def test_what_gives_no_labels_says_what_it_is_instead(tmp_path: Path, kind: str) -> None:
    file = tmp_path / f"{kind}.gradatim"
    convert(folder(tmp_path, kind, **KINDS[kind][0]), file)
    said = CliRunner().invoke(app, ["predict", str(file), "the cat"])
    assert said.exit_code != 0
    assert f"'{kind}'" in said.output


def test_a_file_runs_where_torch_is_not(tmp_path: Path) -> None:
    file = tmp_path / "tags.gradatim"
    convert(folder(tmp_path, "tagging", **TAGS), file)
    program = (
        "import sys; sys.modules['torch'] = None; import gradatim;"
        f"print(len(gradatim.pipeline('ner', {str(file)!r})('the cat sat', ignore_labels=[])))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) == len(TOKENIZER.encode("the cat sat").ids) - 2


ASKED = {
    "question": "Who sat?",
    "context": TEXT.strip(),
    "answers": {"text": ["The cat"], "answer_start": [0]},
}
CHOSEN = [
    [TEXT.strip()],
    [{"question": "Who sat?", "choice": ["the cat", "a mat"], "answer": "the cat"}],
    "1",
]
JUDGED: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "tagging": (TAGS, "tags.conll", "The O\ncat O\nin O\nRome B-LOC\n", "f1"),
    "span": ({"num_outputs": 2}, "asked.jsonl", json.dumps(ASKED), "exact_match"),
    "choice": ({"num_outputs": 1}, "chosen.json", json.dumps([CHOSEN]), "accuracy"),
    "number": ({"num_outputs": 1}, "scored.csv", "text,score\nthe cat,1\na mat,2\nin Rome,4\n", "spearman"),
    "classification": (
        {"num_outputs": 2, "labels": ("no", "yes")}, "rows.csv", "text,label\nthe cat,no\na mat,yes\n", "accuracy"
    ),
}  # fmt: skip


def evaluated(model: Path, data: Path) -> dict[str, float]:
    said = CliRunner().invoke(app, ["evaluate", str(model), str(data), "--json"])
    assert said.exit_code == 0, said.output
    found: dict[str, float] = json.loads(said.stdout)
    assert found.pop("texts_per_s") > 0
    return found


@pytest.mark.parametrize("name", JUDGED)
def test_a_folder_is_evaluated_as_its_file(tmp_path: Path, name: str) -> None:
    fields, file_name, content, metric = JUDGED[name]
    source = folder(tmp_path, "classification" if name == "number" else name, **fields)
    (data := tmp_path / file_name).write_text(content, encoding="utf-8")
    convert(source, file := tmp_path / "model.gradatim")
    ours, theirs = evaluated(source, data), evaluated(file, data)
    assert metric in ours
    assert ours == pytest.approx(theirs, abs=1e-5)


def test_answers_about_tables_are_judged_by_what_they_denote(tmp_path: Path) -> None:
    source, file = table_folder(tmp_path, 3, plain=0), tmp_path / "table.gradatim"
    convert(source, file)
    asked: list[str] = []
    kinds: list[str] = []
    for number, one in enumerate(TABLES):
        grid = grid_of(one["table"])
        rows = [grid.columns, *grid.rows]
        text = "".join(",".join(f'"{cell}"' for cell in row) + "\n" for row in rows)
        (tmp_path / f"{number}.csv").write_text(text, encoding="utf-8")
        said = gradatim.pipeline("table-question-answering", file)(one)
        right = denoted(grid, said["coordinates"], said["aggregator"].upper())
        kinds.append(said["aggregator"])
        asked += [
            f"{one['query']}\t{number}.csv\t{'|'.join(right)}",
            f"{one['query']}\t{number}.csv\tnobody knows",
        ]
    data = tmp_path / "asked.tsv"
    data.write_text("\n".join(["utterance\tcontext\ttargetValue", *asked]) + "\n", encoding="utf-8")
    found = evaluated(file, data)
    assert found["n"] == len(asked)
    assert found["accuracy"] == 0.5
    assert found["aggregated"] == sum(kind != "none" for kind in kinds) / len(kinds)
    assert evaluated(source, data) == pytest.approx(found)


def test_what_labelled_data_does_not_judge_is_refused(tmp_path: Path) -> None:
    (data := tmp_path / "rows.csv").write_text("text,label\nthe cat,no\n", encoding="utf-8")
    source = folder(tmp_path, "masked")
    convert(source, file := tmp_path / "masked.gradatim")
    for model in (source, file):
        said = CliRunner().invoke(app, ["evaluate", str(model), str(data)])
        assert said.exit_code != 0
        assert "masked" in said.output
