"""ELMo from nothing, and what its features are worth beside GloVe's: named entities and sentiment.

    GRADATIM_DATA=... python -m benchmarks.elmo [--seeds 0 1 2] [--out FOLDER]

Runs benchmarks/recipes/pretrain-elmo.toml, then the recipes conll2003-glove, conll2003-elmo, sst2-glove and sst2-elmo,
in all of which a BiLSTM reads features that stay as they are. Prints one Markdown table. What is finished in FOLDER is
not run again, what was stopped is resumed.
"""

from __future__ import annotations

import argparse
import os
import statistics
from pathlib import Path

from benchmarks.finetune import RECIPES, run
from benchmarks.pretrain import gradatim
from gradatim.train.journal import read_log

SIZE = 10_000
TASKS = {"conll2003": ("f1", "entities, F1"), "sst2": ("accuracy", "sentiment, accuracy")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/elmo-benchmark"))
    options = parser.parse_args()
    model = pretrain(options.out)
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


def pretrain(out: Path) -> Path:
    """The finished ELMo."""
    out.mkdir(parents=True, exist_ok=True)
    words, folder = out / "words.json", out / "elmo"
    if not words.is_file():
        data = Path(os.environ["GRADATIM_DATA"])
        texts = [str(data / "english_novels"), str(data / "imdb" / "unsup.jsonl.xz")]
        options = ["--kind", "elmo", "--size", str(SIZE), "--text", "text", "--out", str(words)]
        gradatim("tokenizer", "train", *texts, *options)
    if not (folder / "model" / "config.json").is_file():
        recipe = RECIPES / "pretrain-elmo.toml"
        gradatim("train", str(recipe), f'data.tokenizer="{words}"', "--out", str(folder), "--resume")
    return folder / "model"


if __name__ == "__main__":
    main()
