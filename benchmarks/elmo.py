"""ELMo from nothing, and what its features are worth beside GloVe's: named entities and sentiment.

    GRADATIM_DATA=... python -m benchmarks.elmo [--seeds 0 1 2] [--out FOLDER]

Runs benchmarks/recipes/pretrain-elmo.toml, then the recipes conll2003-glove, conll2003-elmo, sst2-glove and sst2-elmo,
in all of which a BiLSTM reads features that stay as they are. Prints one Markdown table. What is finished in FOLDER is
not run again, what was stopped is resumed.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

from benchmarks.finetune import run
from benchmarks.pretrain import tokenizer, trained
from gradatim.train.journal import read_log

SIZE = 10_000
TASKS = {"conll2003": ("f1", "entities, F1"), "sst2": ("accuracy", "sentiment, accuracy")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/elmo-benchmark"))
    options = parser.parse_args()
    words = tokenizer(options.out / "words.json", SIZE, "elmo")
    model = trained("pretrain-elmo", options.out / "elmo", {"data.tokenizer": f'"{words}"'})
    log = [record for record in read_log(options.out / "elmo" / "log.jsonl") if "score" in record]
    print(f"ELMo: {log[-1]['tokens']:,} words, held-out loss of both directions {-log[-1]['score']:.3f}\n")
    print("| task, dev | GloVe | ELMo | gain |\n|---|---:|---:|---:|")
    for task, (metric, name) in TASKS.items():
        found = {}
        for features in ("glove", "elmo"):
            changes = {"model.from": f'"{model}"'} if features == "elmo" else {}
            folders = {seed: options.out / f"{task}-{features}-{seed}" for seed in options.seeds}
            found[features] = [
                100 * run(f"{task}-{features}", {**changes, "train.seed": str(seed)}, folder)[metric]
                for seed, folder in folders.items()
            ]
        cells = [f"{statistics.mean(s):.1f} ({min(s):.1f}-{max(s):.1f})" for s in found.values()]
        gain = statistics.mean(found["elmo"]) - statistics.mean(found["glove"])
        print(f"| {name} | {cells[0]} | {cells[1]} | {gain:+.1f} |", flush=True)


if __name__ == "__main__":
    main()
