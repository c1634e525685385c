"""p50 milliseconds per text at batch 1, of an artifact or of transformers running a teacher folder.

python -m benchmarks.latency artifact FILE TEXTS.jsonl
python -m benchmarks.latency transformers FOLDER TEXTS.jsonl
"""

from __future__ import annotations

import json
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

TEXTS, WARM_UP = 400, 20


def main() -> None:
    kind, model, texts = sys.argv[1:4]
    rows = [json.loads(line) for line in Path(texts).read_text(encoding="utf-8").splitlines()]
    rows = [rows[i] for i in np.unique(np.linspace(0, len(rows) - 1, TEXTS).astype(int))]
    predict = open_artifact(model) if kind == "artifact" else open_transformers(Path(model))
    for row in rows[:WARM_UP]:
        predict(row)
    milliseconds = []
    for row in rows:
        began = time.perf_counter()
        predict(row)
        milliseconds.append(1e3 * (time.perf_counter() - began))
    print(statistics.median(milliseconds))


def open_artifact(path: str) -> Callable[[list[str]], object]:
    import gradatim

    classifier = gradatim.load(path)
    return lambda row: classifier(*row)


def open_transformers(folder: Path) -> Callable[[list[str]], object]:
    """The same weights, mean pooling and head, through transformers' own fast tokenizer and BertModel."""
    import os

    import torch
    from safetensors.torch import load_file
    from transformers import AutoTokenizer, BertModel

    warnings.simplefilter("ignore")
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    model = BertModel.from_pretrained(folder, add_pooling_layer=False).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    head = load_file(folder / "head.safetensors")

    @torch.inference_mode()
    def predict(row: list[str]) -> list[float]:
        inputs = tokenizer(*row, truncation=True, max_length=512, return_tensors="pt")
        states = model(**inputs).last_hidden_state
        logits = states.mean(1) @ head["linear.weight"].T + head["linear.bias"]
        return logits.softmax(-1)[0].tolist()

    return predict


if __name__ == "__main__":
    main()
