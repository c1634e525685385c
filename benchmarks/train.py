"""Training speed in real tokens per second: gradatim's loop beside the Trainer of transformers.

    GRADATIM_DATA=... python -m benchmarks.train [--quick] [--rounds 3] [--data sst2 imdb]

The same encoder (minilm-l6), texts, batches of 32, AdamW, clipping and dropout on both sides; no padding counts as a
token. The Trainer runs as it comes (fp32, arrival order) and at its best free setting (bf16, texts grouped by
length). Systems alternate, each time in a fresh process that has trained a few batches before the clock starts.
Prints one Markdown table of medians.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from typing import Any

import numpy as np

SYSTEMS = ("gradatim", "trainer-best", "trainer-default")
TEXTS = {"sst2": 3000, "imdb": 320}
BATCH, WARM_UP, MAX_LENGTH = 32, 96, 512


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", nargs="+", default=list(TEXTS), choices=list(TEXTS))
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS), choices=SYSTEMS)
    parser.add_argument("--quick", action="store_true", help="SST-2 alone, once")
    parser.add_argument("--one", action="store_true", help="print the rate of one run in this process")
    options = parser.parse_args()
    if options.one:
        print(rate(options.systems[0], options.data[0]))
        return
    if options.quick:
        options.rounds, options.data = 1, ["sst2"]
    print("| data | system | tokens/s (median, range) | gradatim is |\n|---|---|---:|---:|")
    for data in options.data:
        rates: dict[str, list[float]] = {system: [] for system in options.systems}
        for _ in range(options.rounds):
            for system in options.systems:
                rates[system].append(_fresh(system, data))
        ours = statistics.median(rates[options.systems[0]])
        for system, found in rates.items():
            middle = statistics.median(found)
            print(
                f"| {data}, {TEXTS[data]} texts | {system} | {middle:,.0f} ({min(found):,.0f}-{max(found):,.0f}) "
                f"| {ours / middle:.2f} x |",
                flush=True,
            )


def _fresh(system: str, data: str) -> float:
    command = [sys.executable, "-m", "benchmarks.train", "--one", "--systems", system, "--data", data]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def rate(system: str, data: str) -> float:
    """Tokens per second of one epoch over the first texts of a set, drawn evenly from its order."""
    import torch

    from gradatim.data import load_corpus

    torch.manual_seed(0)
    train = load_corpus(data).train
    chosen = np.linspace(0, len(train) - 1, TEXTS[data]).astype(int)
    texts, labels = [train.texts[i] for i in chosen], np.asarray(train.targets)[chosen]
    run = gradatim_rate if system == "gradatim" else trainer_rate
    return run(texts, labels, best=system == "trainer-best")


def gradatim_rate(texts: list[str], labels: np.ndarray, *, best: bool) -> float:
    from gradatim.checkpoint.folder import load_backbone, tokenizer_json
    from gradatim.data import resolve_model
    from gradatim.models.classifier import Classifier
    from gradatim.models.inputs import PackedTexts
    from gradatim.objectives.classification import Classification
    from gradatim.text.pieces import PieceEncoder
    from gradatim.train.loop import train
    from gradatim.train.recipe import Recipe

    folder = resolve_model("minilm-l6")
    pieces = PieceEncoder(tokenizer_json(folder), max_length=MAX_LENGTH, truncate=True)
    body = load_backbone(folder)
    model = Classifier(body, body.config.width, 2, pooling=("first",))
    recipe = Recipe(epochs=1, batch_size=BATCH, max_tokens=BATCH * MAX_LENGTH, rate=5e-5)
    train(model, Classification(PackedTexts(pieces.encode(texts[:WARM_UP])), labels[:WARM_UP]), recipe)
    return train(model, Classification(PackedTexts(pieces.encode(texts)), labels), recipe).tokens_per_s


def trainer_rate(texts: list[str], labels: np.ndarray, *, best: bool) -> float:
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
    )

    from gradatim.data import resolve_model

    warnings.simplefilter("ignore")
    folder = resolve_model("minilm-l6")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)
    encoded = tokenizer(texts, truncation=True, max_length=MAX_LENGTH)["input_ids"]
    rows: list[dict[str, Any]] = [
        {"input_ids": ids, "attention_mask": [1] * len(ids), "labels": int(label)}
        for ids, label in zip(encoded, labels, strict=True)
    ]
    clock = _clock()
    with tempfile.TemporaryDirectory() as out:
        arguments = TrainingArguments(
            out,
            num_train_epochs=1,
            per_device_train_batch_size=BATCH,
            learning_rate=5e-5,
            weight_decay=0.01,
            bf16=best,
            train_sampling_strategy="group_by_length" if best else "random",
            use_cpu=True,
            disable_tqdm=True,
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
        )
        for part in (rows[:WARM_UP], rows):
            Trainer(
                model=model,
                args=arguments,
                train_dataset=part,
                data_collator=DataCollatorWithPadding(tokenizer),
                callbacks=[clock],
            ).train()
    return sum(map(len, encoded)) / (clock.ends[-1] - clock.begins[-1])


def _clock() -> Any:
    from transformers import TrainerCallback

    class Clock(TrainerCallback):  # type: ignore[misc]
        """When each training began and ended."""

        def __init__(self) -> None:
            self.begins: list[float] = []
            self.ends: list[float] = []

        def on_train_begin(self, *_: Any, **__: Any) -> None:
            self.begins.append(time.perf_counter())

        def on_train_end(self, *_: Any, **__: Any) -> None:
            self.ends.append(time.perf_counter())

    return Clock()


if __name__ == "__main__":
    main()
