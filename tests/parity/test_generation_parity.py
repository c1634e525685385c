"""What is written, and its score, is what the reference's `generate` writes, on tiny random weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from reference_models import PAD, reference

from gradatim.checkpoint.folder import read_model
from gradatim.decode.search import Search
from gradatim.decode.write import write
from gradatim.models.stepper import TorchStepper

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

LENGTHS, END, LONGEST = [7, 2, 5, 3], 2, 9
SEARCHES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "greedy": ({}, {}),
    "greedy without repeats": ({"no_repeat_ngram_size": 2}, {"no_repeat": 2}),
    "greedy, repeats for more": ({"repetition_penalty": 1.4}, {"repetition": 1.4}),
    "greedy, not too short": ({"min_new_tokens": 6}, {"min_length": 7}),
    "beams, first": ({"num_beams": 3, "early_stopping": True}, {"beams": 3, "stop": "first"}),
    "beams, likely": ({"num_beams": 3, "early_stopping": False}, {"beams": 3, "stop": "likely"}),
    "beams, sure": ({"num_beams": 4, "early_stopping": "never"}, {"beams": 4, "stop": "sure"}),
    "long beams": (
        {"num_beams": 3, "length_penalty": 2.0, "early_stopping": "never"},
        {"beams": 3, "length_penalty": 2.0, "stop": "sure"},
    ),
    "beams without repeats": (
        {"num_beams": 4, "no_repeat_ngram_size": 2, "repetition_penalty": 1.3},
        {"beams": 4, "no_repeat": 2, "repetition": 1.3},
    ),
    "all beams": ({"num_beams": 3, "num_return_sequences": 3}, {"beams": 3, "best": 3}),
}


@pytest.fixture(scope="module", params=["marian", "t5", "gpt2 language model"])
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, TorchStepper]:
    theirs = reference(request.param).eval()
    torch.manual_seed(3)
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            if parameter.ndim > 1 and "position" not in name:
                parameter.normal_(std=0.4)
    folder = tmp_path_factory.mktemp("reference")
    theirs.save_pretrained(folder)
    return theirs, TorchStepper(read_model(folder).model, start=0)


@pytest.mark.parametrize("name", SEARCHES)
def test_the_same_texts_with_the_same_scores(pair: tuple[Any, TorchStepper], name: str) -> None:
    theirs, stepper = pair
    their_way, our_way = SEARCHES[name]
    search = Search(end=END, max_length=LONGEST, banned=(PAD,), **our_way)
    generator = torch.Generator().manual_seed(1)
    rows = [torch.randint(3, 90, (length,), generator=generator) for length in LENGTHS]
    ids = np.concatenate([row.numpy() for row in rows])
    paired = theirs.config.is_encoder_decoder
    # For the reference what the decoder reads first is history: the start, or the prompt.
    read = [torch.zeros(1, dtype=torch.int64)] * len(rows) if paired else rows
    before = np.full((len(rows), max(map(len, read))), -1)
    for row, tokens in zip(before, read, strict=True):
        row[len(row) - len(tokens) :] = tokens.numpy()
    batch = {"ids": ids, "lengths": np.array(LENGTHS)}
    ours = write(stepper, batch, search, before=before)
    for row, texts in zip(rows, ours, strict=True):
        found = theirs.generate(
            row[None], attention_mask=torch.ones_like(row)[None], max_new_tokens=LONGEST, do_sample=False,
            eos_token_id=END, pad_token_id=PAD, suppress_tokens=[PAD], forced_eos_token_id=None,
            return_dict_in_generate=True, output_scores=True, use_cache=False, **their_way,
        )  # fmt: skip
        for number, (sequence, text) in enumerate(zip(found.sequences, texts, strict=True)):
            tokens = sequence[1 if paired else len(row) :].tolist()
            tokens = tokens[: tokens.index(END)] if END in tokens else [t for t in tokens if t != PAD]
            assert text.ids.tolist() == tokens
            if search.beams > 1:
                assert text.score == pytest.approx(float(found.sequences_scores[number]), abs=2e-5)
