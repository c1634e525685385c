"""ULMFiT on IMDB: what each of its three steps is worth, and how it learns from few labels.

    GRADATIM_DATA=... python -m benchmarks.ulmfit [--out FOLDER] [--labels 100 500 2000 0] [--steps-at 2000] [--jobs 2]

Runs the recipes ulmfit-pretrain, ulmfit-adapt and ulmfit-classify one after the other, then the last again without one
of the steps each. Test accuracy by number of labelled reviews (0: all 25,000), beside the same network from nothing,
and one LSTM layer, which learns from nothing what three do not. What is finished in FOLDER is not run again, what was
stopped is resumed.
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.finetune import run
from benchmarks.pretrain import tokenizer, trained, twin
from gradatim.checkpoint.folder import read_model, save_model

SIZE = 8000
ALL = 25_000
PASSES = {100: "40", 500: "20", 2000: "10"}  # over few labels more often
ALONE = {  # the first step on the texts of the second, with its dropout
    "data.source": '["$GRADATIM_DATA/imdb/train.jsonl.xz"]',
    "train.epochs": "1",
    "model.dropout": "0.1",
    "model.hidden_dropout": "0.1",
    "model.weight_drop": "0.2",
}
AT_ONCE = {  # what lets one fresh layer learn: no noise, and the whole rate from the first step (benchmarks/NOTES.md)
    "model.dropout": "0",
    "model.hidden_dropout": "0",
    "model.weight_drop": "0",
    "train.warmup": "0",
}
PLAIN = {
    "train.unfreeze": "false",
    "train.layer_decay": "1.0",
    "train.schedule": "linear",
    "train.rate": "1e-3",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/ulmfit"))
    parser.add_argument("--labels", nargs="+", type=int, default=[100, 500, 2000, 0])
    parser.add_argument("--steps-at", type=int, default=2000, help="labels at which steps are left out")
    parser.add_argument("--jobs", type=int, default=1, help="runs at once, which share the cores")
    options = parser.parse_args()
    out, few = options.out, options.steps_at
    if options.jobs > 1:
        os.environ["OMP_NUM_THREADS"] = str(max(1, len(os.sched_getaffinity(0)) // options.jobs))
    pieces = tokenizer(out / "pieces.json", SIZE, "gpt2")
    words = f'"{pieces}"'
    pretrained = trained("ulmfit-pretrain", out / "pretrain", {"data.tokenizer": words})
    fresh = twin(pretrained, out / "fresh")
    single = one_layer(pretrained, out / "single")
    adapted, alone = (out / name / "model" for name in ("adapt", "alone"))
    variants: dict[str, tuple[str, Path, dict[str, str]]] = {
        "all three steps": ("whole", adapted, {}),
        "without pretraining and adaptation": ("scratch", fresh, PLAIN),
        "one layer of 200 in place of three, from nothing": ("single", single, {**PLAIN, **AT_ONCE}),
        "without pretraining": ("alone", alone, {}),
        "without adaptation": ("unadapted", pretrained, {}),
        "fine-tuned plainly: all layers at once, one rate, linear": ("plain", adapted, PLAIN),
    }
    wanted = {(name, labels) for name in list(variants)[:3] for labels in options.labels}
    wanted |= {(name, few) for name in variants}
    with ThreadPoolExecutor(options.jobs) as pool:
        learning = {
            adapted: pool.submit(trained, "ulmfit-adapt", out / "adapt", {"model.from": f'"{pretrained}"'}),
            alone: pool.submit(trained, "ulmfit-pretrain", out / "alone", {"data.tokenizer": words, **ALONE}),
        }

        def found(name: str, labels: int) -> float:
            folder, start, changes = variants[name]
            if start in learning:
                learning[start].result()
            return classify(out, folder, labels, start, **changes)

        # Those that start from what is still learning last: until it is there they would only wait.
        order = sorted(wanted, key=lambda one: (variants[one[0]][1] in learning, one))
        scores = {one: pool.submit(found, *one) for one in order}
        print(
            "| labelled reviews | ULMFiT, test accuracy | the same network from nothing | one layer from nothing |"
            "\n|---:|---:|---:|---:|"
        )
        for labels in options.labels:
            row = (scores[name, labels].result() for name in list(variants)[:3])
            print(f"| {labels or ALL:,} | {' | '.join(f'{score:.1f}' for score in row)} |", flush=True)
        print(f"\n| {few or ALL:,} labelled reviews | test accuracy |\n|---|---:|")
        for name in variants:
            print(f"| {name} | {scores[name, few].result():.1f} |")


def one_layer(model: Path, folder: Path) -> Path:
    """One recurrent layer on words as wide as the model's, with fresh weights and its tokenizer."""
    if not (folder / "config.json").is_file():
        config = read_model(model).config
        config = replace(config, body=replace(config.body, num_layers=1))
        torch.manual_seed(0)
        save_model(config.build(), folder, config=config, tokenizer=model)
    return folder


def classify(out: Path, name: str, labels: int, start: Path, **changes: str) -> float:
    """Test accuracy in percent of a classifier that learned from so many labels."""
    settings = {"model.from": f'"{start}"', "train.epochs": PASSES.get(labels, "5"), **changes}
    if labels:  # judged once, at the end: dev is larger than what is learned from
        settings |= {"objective.examples": str(labels), "train.evaluate_every": "1000000"}
    return 100 * run("ulmfit-classify", settings, out / f"{name}-{labels or ALL}")["test_accuracy"]


if __name__ == "__main__":
    main()
