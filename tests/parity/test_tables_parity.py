"""TAPAS against the reference implementation: what is read of a table, logits, answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from reference_tables import LENGTH, MARKS, tables, write_tapas

from gradatim import pipeline
from gradatim.checkpoint.folder import FAMILIES, family_of, read_model, save_model, tokenizer_json
from gradatim.cli import main
from gradatim.models.classifier import GridReader
from gradatim.models.inputs import PackedTexts
from gradatim.models.session import TorchSession
from gradatim.objectives.tables import Target, Weak, WeakTables
from gradatim.pipelines.cells import choose_cells
from gradatim.pipelines.tables import grid_of
from gradatim.text.grids import SIZES, GridConfig, GridEncoder
from gradatim.text.pieces import PieceEncoder
from gradatim.types import Encoded

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
pd = pytest.importorskip("pandas")

TOLERANCE = 1e-5
NAMES = ("segments", "columns", "rows", "previous", "ranks", "inverse_ranks", "relations")
DATED = {
    "player": ["anna", "n/a", "berlin st.", "the great dull film"],
    "born": ["7 february 1967", "June 10, 1996", "1961-11-28", "28.11.1967"],
    "games": ["87", "1,053", "", "3rd"],
}
AXES: list[dict[str, Any]] = [
    {},
    {"reset_position_index_per_cell": False, "temperature": 0.4},
    {"select_one_column": False, "temperature": 2.0},
    {"select_one_column": False, "average_logits_per_cell": True},
    {"allow_empty_column_selection": True},
    {"num_aggregation_labels": 0, "aggregation_labels": None, "no_aggregation_label_index": None},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tapas(tmp_path_factory.mktemp("tapas"))


def encoder(folder: Path, length: int = LENGTH) -> GridEncoder:
    pieces = PieceEncoder(tokenizer_json(folder), max_length=length)
    return GridEncoder(pieces, dict(zip(SIZES, MARKS[1:], strict=True)), GridConfig())


def read_by_theirs(folder: Path, table: dict[str, list[str]], query: str, length: int = LENGTH) -> Any:
    import transformers

    tokenizer = transformers.TapasTokenizer.from_pretrained(folder, model_max_length=length)
    return tokenizer(pd.DataFrame(table), query, truncation=True, return_tensors="pt")


@pytest.mark.parametrize("length", [LENGTH, 64])
def test_tables_are_read_and_shortened_as_theirs(folder: Path, length: int) -> None:
    shortened = 0
    for table, query in [(DATED, "who was born in june 1996 with more than 90?"), *tables(25)]:
        theirs = read_by_theirs(folder, table, query, length)
        ours = encoder(folder, length).encode([query], [grid_of(table)], truncate=True)
        assert ours.arrays["ids"].tolist() == theirs["input_ids"][0].tolist()
        for place, name in enumerate(NAMES):
            assert ours.arrays[name].tolist() == theirs["token_type_ids"][0, :, place].tolist(), name
        shortened += ours.cut > 0
    assert (shortened > 2) == (length < LENGTH)


@pytest.mark.parametrize("fields", AXES)
def test_logits_and_choices_are_theirs_and_both_ways(tmp_path: Path, fields: dict[str, Any]) -> None:
    import transformers

    write_tapas(tmp_path, **fields)
    theirs = transformers.TapasForQuestionAnswering.from_pretrained(tmp_path).eval()
    ours = read_model(tmp_path)
    assert ours.config.grid is not None
    save_model(ours.model, tmp_path / "again", family="tapas", config=ours.config)
    save_model(ours.model, tmp_path / "own", config=ours.config)
    again = transformers.TapasForQuestionAnswering.from_pretrained(tmp_path / "again").eval()
    assert family_of(ours.config) == "tapas"
    assert read_model(tmp_path / "own").config == ours.config == read_model(tmp_path / "again").config
    asked = [(DATED, "who was born in june 1996?"), *tables(6)]
    grids = [grid_of(table) for table, _ in asked]
    encoded = encoder(tmp_path).encode([query for _, query in asked], grids, truncate=True)
    said = TorchSession(ours.model).run(encoded.arrays)
    shapes = [(len(grid.rows), len(grid.columns)) for grid in grids]
    chosen = choose_cells(said["logits"], encoded, shapes, ours.config.grid, said.get("aggregation"))
    for (table, query), one in zip(asked, chosen, strict=True):
        for model in (theirs, again):
            compare(model, read_by_theirs(tmp_path, table, query), one.probabilities, one.aggregation)


def compare(model: Any, inputs: Any, probabilities: Any, aggregation: Any) -> None:
    """Their probability of every cell, and their logits of aggregations, beside ours."""
    given = {"labels": torch.zeros(inputs["input_ids"].shape)}
    if aggregation is not None:
        given["aggregation_labels"] = torch.zeros(1, dtype=torch.long)
    one_column = model.config.select_one_column
    with torch.no_grad():  # without labels they fail where several columns may be chosen
        out = model(**inputs, **({} if one_column else given))
    columns, rows = inputs["token_type_ids"][0, :, 1].numpy(), inputs["token_type_ids"][0, :, 2].numpy()
    tokens = out.logits[0].sigmoid().numpy()
    for row, column in {(r, c) for r, c in zip(rows, columns, strict=True) if r and c}:
        mean = tokens[(rows == row) & (columns == column)].mean()
        assert abs(mean - probabilities[row - 1, column - 1]) <= TOLERANCE
    if aggregation is not None:
        assert np.abs(out.logits_aggregation[0].numpy() - aggregation).max() <= TOLERANCE


def test_states_of_the_body_are_theirs(folder: Path) -> None:
    import transformers

    theirs = transformers.TapasModel.from_pretrained(folder).eval()
    body = read_model(folder, bare=True).model
    inputs = read_by_theirs(folder, DATED, "who was born in june 1996?")
    states = theirs(**inputs).last_hidden_state[0]
    encoded = encoder(folder).encode(["who was born in june 1996?"], [grid_of(DATED)], truncate=True)
    mine = TorchSession(body).run(encoded.arrays)["states"]
    assert np.abs(mine - states.detach().numpy()).max() <= TOLERANCE


@pytest.mark.parametrize("sequential", [False, True])
def test_answers_are_theirs(folder: Path, sequential: bool) -> None:
    import transformers

    reader = transformers.TapasTokenizer.from_pretrained(folder)
    theirs = transformers.pipeline("table-question-answering", model=str(folder), tokenizer=reader)
    ours = pipeline("table-question-answering", model=folder)
    answered = set()
    for table, query in tables(4):
        for asked in (query, [query, "who is in paris"], [query]):
            wanted = theirs(table=dict(table), query=asked if isinstance(asked, str) else list(asked),
                            sequential=sequential)  # fmt: skip
            assert ours(table=table, query=asked, sequential=sequential) == wanted
            answered.add(str(wanted))
        assert ours([{"table": table, "query": query}] * 2) == theirs(
            [{"table": dict(table), "query": query}] * 2
        )
        assert ours({"table": pd.DataFrame(table), "query": query}) == ours(table, query)
    assert len(answered) > 5


def test_a_table_in_windows_is_judged_as_one(folder: Path) -> None:
    """Rows that are far apart do not see one another, but one column is chosen for all of them."""
    grid = grid_of({"a": [str(i) for i in range(40)], "b": ["film"] * 40})
    whole = encoder(folder).encode(["how many"], [grid])
    assert len(whole.owners) > 1
    assert sorted({*whole.arrays["cells"].tolist()}) == [-1, *range(80)]
    answer = pipeline("table-question-answering", model=folder)(grid, "how many")
    assert len({column for _, column in answer["coordinates"]}) <= 1
    cut = pipeline("table-question-answering", model=folder, truncation=True)
    assert cut(grid, "how many")["cut_tokens"] == cut.cut_tokens > 0


def test_the_command_answers_questions_about_files(folder: Path, tmp_path: Path) -> None:
    lines = []
    for number, (table, query) in enumerate(tables(3)):
        pd.DataFrame(table).to_csv(tmp_path / f"{number}.csv", index=False)
        lines.append(json.dumps({"query": query, "table": f"{number}.csv"}))
    (tmp_path / "asked.jsonl").write_text("\n".join(lines))
    out = tmp_path / "out.jsonl"
    given = ["--input", str(tmp_path / "asked.jsonl"), "--output", str(out)]
    with pytest.raises(SystemExit) as ended:
        main(["run", "table-question-answering", str(folder), *given])
    assert ended.value.code == 0
    ask = pipeline("table-question-answering", model=folder)
    wanted = [json.loads(json.dumps(ask(table, query))) for table, query in tables(3)]
    assert [json.loads(line)["answer"] for line in out.read_text().splitlines()] == wanted


def test_a_family_that_lacks_what_tables_need_refuses(folder: Path) -> None:
    config = read_model(folder).config
    with pytest.raises(Exception, match="table"):
        FAMILIES["bert"].fields(config)


def test_sessions_keep_rows_and_tokens_apart(folder: Path) -> None:
    """Batches of any size give every token and every row what it gets alone."""
    asked = tables(5)
    encoded = encoder(folder).encode([query for _, query in asked], [grid_of(table) for table, _ in asked])
    model = read_model(folder).model
    together, apart = (TorchSession(model, max_tokens=size).run(encoded.arrays) for size in (10_000, 1))
    assert isinstance(encoded, Encoded)
    assert {name: values.shape[0] for name, values in together.items()} == {
        "logits": len(encoded.arrays["ids"]), "aggregation": 5,
    }  # fmt: skip
    for name, values in together.items():
        assert np.abs(values - apart[name]).max() <= TOLERANCE


@pytest.mark.parametrize("preference", [0.0, 0.3, 1.0])
def test_the_loss_of_weak_supervision_is_theirs(tmp_path: Path, preference: float) -> None:
    import transformers

    weak = Weak(preference=preference, delta=0.3, cutoff=9.0, importance=0.7)
    write_tapas(
        tmp_path, use_answer_as_supervision=True, cell_selection_preference=preference, huber_loss_delta=0.3,
        answer_loss_cutoff=9.0, answer_loss_importance=0.7, temperature=0.5,
    )  # fmt: skip
    theirs = transformers.TapasForQuestionAnswering.from_pretrained(tmp_path).eval()
    model = read_model(tmp_path).model
    assert isinstance(model, GridReader)
    asked = tables(8)
    grids = [grid_of(table) for table, _ in asked]
    encoded = encoder(tmp_path).encode([query for _, query in asked], grids, truncate=True)
    cells = [np.zeros((len(grid.rows), len(grid.columns)), dtype=bool) for grid in grids]
    for number, own in enumerate(cells):
        if number % 3:
            own[:: number % 2 + 1, -1] = True
    numbers = [np.arange(own.size, dtype=np.float64).reshape(own.shape) / 3 for own in cells]
    answers = [float("nan") if number % 3 == 1 else float(number) for number in range(len(grids))]
    targets = [Target(*one) for one in zip(cells, numbers, answers, strict=True)]
    objective = WeakTables(PackedTexts(encoded), targets, weak)
    loss = objective.loss(model, objective.collate(np.arange(len(grids))))
    loss.value.backward()
    losses = [loss_of_theirs(theirs, tmp_path, *asked[i], targets[i]) for i in range(len(grids))]
    known = torch.stack(losses).mean()
    known.backward()
    assert abs(float(loss.value - known)) <= TOLERANCE * float(known)
    mine = model.body.embedding.marks["rows"].weight.grad
    other = theirs.tapas.embeddings.token_type_embeddings_2.weight.grad
    assert mine is not None
    assert float((mine - other).abs().max()) <= TOLERANCE * float(other.abs().max())


def loss_of_theirs(
    model: Any, folder: Path, table: dict[str, list[str]], query: str, target: Target
) -> torch.Tensor:
    inputs = read_by_theirs(folder, table, query)
    rows, columns = inputs["token_type_ids"][0, :, 2].numpy(), inputs["token_type_ids"][0, :, 1].numpy()
    at = (np.maximum(rows, 1) - 1, np.maximum(columns, 1) - 1)
    sizes = [((rows == row) & (columns == column)).sum() for row, column in zip(rows, columns, strict=True)]
    loss: torch.Tensor = model(
        **inputs,
        labels=torch.tensor(np.where(rows > 0, target.cells[at], False)).long()[None],
        numeric_values=torch.tensor(np.where(rows > 0, target.values[at], np.nan)).float()[None],
        numeric_values_scale=torch.tensor(np.where(rows > 0, sizes, 1.0)).float()[None],
        float_answer=torch.tensor([target.answer]),
    ).loss
    return loss
