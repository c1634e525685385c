"""What is learned from answers of tables, beyond what is published (tests/parity/test_tables_parity.py has that)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from gradatim.checkpoint.config import ModelConfig
from gradatim.models.classifier import GridReader
from gradatim.models.inputs import PackedTexts
from gradatim.models.presets import Sizes, bert
from gradatim.objectives.tables import Target, Weak, WeakTables
from gradatim.text.grids import SIZES, GridConfig, GridEncoder
from gradatim.text.pieces import PieceEncoder
from gradatim.types import Grid

NAN = float("nan")


@pytest.mark.parametrize("rows", [False, True])
def test_a_cell_is_chosen_among_those_of_its_column(tokenizer_json: str, rows: bool) -> None:
    torch.manual_seed(0)
    pieces = PieceEncoder(tokenizer_json, max_length=12)
    body = bert(Sizes(vocab_size=80, num_layers=1, width=12, num_heads=2, ffn_width=16, max_length=12))
    body = replace(body, embedding=replace(body.embedding, marks=SIZES))
    grid = GridConfig(rows=rows)
    model = ModelConfig(kind="table", body=body, num_outputs=4, grid=grid).build().eval()
    assert isinstance(model, GridReader)
    table = Grid(("a", "b"), (("c", "d"), ("e", "f"), ("g", "h"), ("i", "j")))
    marked = [[(1, 0)], [(0, 1), (3, 1)], []]  # the last answer is a number that no cell holds
    encoded = GridEncoder(pieces, SIZES, grid).encode(["the film"] * 3, [table] * 3)
    assert len(encoded.owners) > 3  # in windows, between which a cell is chosen too
    targets = []
    for own in marked:
        cells = np.zeros((4, 2), dtype=bool)
        for place in own:
            cells[place] = True
        targets.append(Target(cells, np.full((4, 2), NAN), NAN if own else 7.0))
    losses = []
    for among in (0.0, 1.0):
        objective = WeakTables(PackedTexts(encoded), targets, Weak(preference=1.0, among=among))
        batch = objective.collate(np.arange(3))
        losses.append(objective.loss(model, batch).means["selection"])
    logits = model(batch.inputs)[0].detach()
    owners = batch.inputs.owners[batch.inputs.layout.rows[: batch.inputs.num_tokens]]
    of_cells = batch.inputs.marks["cells"][: batch.inputs.num_tokens]
    wanted = []
    for text, own in enumerate(marked[:2]):
        column = own[0][1]
        of_column = []
        for row in range(4):
            at = [(owners == text) & (of_cells == 2 * row + each) for each in range(2)]
            spoken = logits[at[0] | at[1], 2].mean() if rows else 0.0
            of_column.append(logits[at[column], 0].mean() + spoken)
        wanted.append(-torch.stack(of_column).log_softmax(0)[[row for row, _ in own]].mean())
    torch.testing.assert_close(losses[1] - losses[0], torch.stack(wanted).sum() / 3)
