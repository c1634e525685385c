"""ELMo from nothing, and what its features are worth beside GloVe's: named entities and sentiment.

    GRADATIM_DATA=... python -m benchmarks.elmo [--seeds 0 1 2] [--out FOLDER]

Runs benchmarks/recipes/pretrain-elmo.toml, and learns GloVe from the same text; then the recipes conll2003-glove and
sst2-glove, with these vectors and with those learned from 6 billion words, and conll2003-elmo and sst2-elmo. In all of
them a BiLSTM reads features that stay as they are. Prints one Markdown table. What is finished in FOLDER is not run
again, what was stopped is resumed.
"""

from __future__ import annotations

import argparse
import os
import statistics
from pathlib import Path

from benchmarks.finetune import run
from benchmarks.pretrain import gradatim, tokenizer, trained
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
    vectors = glove(options.out / "glove.bin")
    print("| task, dev | GloVe, 6 billion words | GloVe, the same text | ELMo | gain over these |")
    print("|---|---:|---:|---:|---:|")
    for task, (metric, name) in TASKS.items():
        features: dict[str, tuple[str, dict[str, str]]] = {
            "glove": (f"{task}-glove", {}),
            "own": (f"{task}-glove", {"model.vectors": f'"{vectors}"'}),
            "elmo": (f"{task}-elmo", {"model.from": f'"{model}"'}),
        }
        means, cells = [], []
        for short, (recipe, changes) in features.items():
            scores = [
                100
                * run(recipe, {**changes, "train.seed": str(seed)}, options.out / f"{task}-{short}-{seed}")[
                    metric
                ]
                for seed in options.seeds
            ]
            means.append(statistics.mean(scores))
            cells.append(f"{means[-1]:.1f} ({min(scores):.1f}-{max(scores):.1f})")
        print(f"| {name} | {' | '.join(cells)} | {means[2] - means[1]:+.1f} |", flush=True)


def glove(target: Path) -> Path:
    """Vectors of the words that ELMo reads, learned from the same text."""
    if not target.is_file():
        data = Path(os.environ["GRADATIM_DATA"])
        texts = [str(data / "english_novels"), str(data / "imdb" / "unsup.jsonl.xz")]
        gradatim("vectors", "train", *texts, "--text", "text", "--glove", "--out", str(target))
    return target


if __name__ == "__main__":
    main()
