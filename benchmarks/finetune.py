"""The published uses of BERT with the weights at hand: one recipe per task, several seeds, one Markdown table.

    GRADATIM_DATA=... python -m benchmarks.finetune [--tasks sst2 cola ...] [--encoders minilm-l6 mpnet-base]
        [--seeds 0 1 2] [--out FOLDER]
    GRADATIM_DATA=... python -m benchmarks.finetune --layers [--encoders minilm-l6]

Every run is one call of `gradatim train benchmarks/recipes/TASK.toml` with the changes named in CHANGES. Runs that
are finished are read from FOLDER. `--layers` compares features of a frozen encoder's layers, read by a BiLSTM as in
Devlin et al. 2019, table 7, with fine-tuning.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

RECIPES = Path(__file__).parent / "recipes"
TASKS = {  # the metric, and what others published for BERT-base (DistilBERT) on dev
    "sst2": ("accuracy", "92.7 (91.3), with the phrases"),
    "cola": ("matthews", "56.3 (51.3)"),
    "mrpc": ("f1", "88.6 (87.5)"),
    "rte": ("accuracy", "69.3 (59.9)"),
    "stsb": ("pearson", "89.0 (86.9)"),
    "conll2003": ("f1", "96.4"),
    "squad": ("f1", "none: there is no SQuAD to train on"),
    "dream": ("accuracy", "chance 33.3"),
}
CHANGES = {  # a wide encoder learns at a lower rate, in fewer passes
    "mpnet-base": {"train.rate": "5e-5", "train.epochs": "3"},
}
LONG = {  # of so many or so long texts it reads each once, and at most so many tokens at a time
    ("mpnet-base", "squad"): {"train.epochs": "1"},
    ("mpnet-base", "dream"): {"train.epochs": "1", "train.max_tokens": "4096"},
}
LAYERS = (
    "embeddings",
    "last",
    "second-to-last",
    "sum of all",
    "sum of last four",
    "concatenation of last four",
    "scalar mix",
)
FROZEN = {
    "objective.recurrent_width": "256",
    "train.rate": "1e-3",
    "train.epochs": "10",
    "train.batch_size": "16",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--encoders", nargs="+", default=["minilm-l6", "mpnet-base"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--layers", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("runs/finetune"))
    options = parser.parse_args()
    if options.layers:
        print("| features | encoder | F1 of entities, valid | seconds |\n|---|---|---:|---:|")
        for encoder in options.encoders:
            for layers in (*LAYERS, "fine-tuned"):
                changes = {} if layers == "fine-tuned" else {"objective.layers": f'"{layers}"', **FROZEN}
                line(options, "conll2003", encoder, changes, layers.replace(" ", "-"))
        return
    print(
        "| task, metric on dev | encoder | mean (range, seeds) | seconds | published |\n|---|---|---:|---:|---|"
    )
    for task in options.tasks:
        for encoder in options.encoders:
            line(options, task, encoder, {}, "")


def line(options: argparse.Namespace, task: str, encoder: str, changes: dict[str, str], name: str) -> None:
    """Run what is not finished and print one row of the table."""
    changes = {
        **CHANGES.get(encoder, {}),
        **LONG.get((encoder, task), {}),
        **changes,
        "model.from": f'"{encoder}"',
    }
    metric, published = TASKS[task]
    found = []
    for seed in options.seeds:
        folder = options.out / "-".join(filter(None, (task, encoder, name, str(seed))))
        found.append(run(task, {**changes, "train.seed": str(seed)}, folder))
    scores = [100 * scores[metric] for scores in found]
    middle, seconds = statistics.mean(scores), statistics.median(scores["wall_s"] for scores in found)
    figures = f"{middle:.1f} ({min(scores):.1f}-{max(scores):.1f}, {len(scores)}) | {seconds:.0f}"
    first = f"{task}, {metric}" if not name else name.replace("-", " ")
    print(f"| {first} | {encoder} | {figures} |" + ("" if name else f" {published} |"), flush=True)


def run(task: str, changes: dict[str, str], folder: Path) -> dict[str, float]:
    """The metrics of one training run, made now or earlier."""
    done = folder / "benchmark.json"
    if not done.is_file():
        settings = [f"{key}={value}" for key, value in changes.items()]
        command = [sys.executable, "-m", "gradatim", "train", str(RECIPES / f"{task}.toml"), *settings]
        folder.mkdir(parents=True, exist_ok=True)
        began = time.perf_counter()
        with (folder / "output.txt").open("w", encoding="utf-8") as output:
            subprocess.run(
                [*command, "--out", str(folder), "--resume"],
                check=True,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        metrics = json.loads((folder / "metrics.json").read_text())
        done.write_text(json.dumps({**metrics, "wall_s": time.perf_counter() - began}))
    found: dict[str, float] = json.loads(done.read_text())
    return found


if __name__ == "__main__":
    main()
