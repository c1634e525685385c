"""Tiny random TAPAS folders as the reference writes them, and tables to ask about."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import torch
from reference_pipelines import SIZES, VOCABULARY, WORDS

AGGREGATIONS = {0: "NONE", 1: "SUM", 2: "AVERAGE", 3: "COUNT"}
MARKS = [3, 30, 70, 2, 40, 41, 10]
LENGTH = 96


def write_tapas(folder: Path, **fields: Any) -> Path:
    """A model that aggregates, with weights large enough to tell inputs apart, and its tokenizer."""
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    vocabulary = [*VOCABULARY, "[EMPTY]"]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    torch.manual_seed(5)
    known = {
        **SIZES, "vocab_size": len(vocabulary), "max_position_embeddings": LENGTH, "type_vocab_sizes": MARKS,
        "num_aggregation_labels": 4, "aggregation_labels": AGGREGATIONS, "no_aggregation_label_index": 0,
    }  # fmt: skip
    model = transformers.TapasForQuestionAnswering(transformers.TapasConfig(**{**known, **fields})).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "LayerNorm" not in name:
                parameter.normal_(std=0.35)
    model.save_pretrained(folder)
    path = str(folder / "vocab.txt")
    transformers.TapasTokenizer(path, model_max_length=LENGTH, strip_accents=False).save_pretrained(folder)
    return folder


def tables(count: int) -> list[tuple[dict[str, list[str]], str]]:
    """Tables of numbers, words and cells that say nothing, each with a question."""
    draw = random.Random(0)

    def cell() -> str:
        kind = draw.random()
        if kind < 0.4:
            return str(draw.randint(0, 2000))
        return "-" if kind < 0.5 else " ".join(draw.choices(WORDS, k=draw.randint(1, 2)))

    made = []
    for _ in range(count):
        width, height = draw.randint(1, 4), draw.randint(1, 6)
        table = {f"{WORDS[at]} {at}": [cell() for _ in range(height)] for at in range(width)}
        made.append((table, " ".join([*draw.choices(WORDS, k=4), "1998 ?"])))
    return made
