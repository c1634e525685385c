"""ULMFiT on IMDB: what each of its three steps is worth, and how it learns from few labels.

    GRADATIM_DATA=... python -m benchmarks.ulmfit [--out FOLDER] [--labels 100 500 2000 0] [--steps-at 2000]

Runs the recipes ulmfit-pretrain, ulmfit-adapt and ulmfit-classify one after the other, then the last again without one
of the steps each. Test accuracy by number of labelled reviews (0: all 25,000). What is finished in FOLDER is not run
again, what was stopped is resumed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.finetune import run
from benchmarks.pretrain import tokenizer, trained, twin

SIZE = 8000
ALL = 25_000
PASSES = {100: "40", 500: "20", 2000: "10"}  # over few labels more often
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
    options = parser.parse_args()
    out, few = options.out, options.steps_at
    pieces = tokenizer(out / "pieces.json", SIZE, "gpt2")
    pretrained = trained("ulmfit-pretrain", out / "pretrain", {"data.tokenizer": f'"{pieces}"'})
    adapted = trained("ulmfit-adapt", out / "adapt", {"model.from": f'"{pretrained}"'})
    fresh = twin(adapted, out / "fresh")
    print("| labelled reviews | ULMFiT, test accuracy | the same network from nothing |\n|---:|---:|---:|")
    for labels in options.labels:
        whole = classify(out, "whole", labels, adapted)
        scratch = classify(out, "scratch", labels, fresh, **PLAIN)
        print(f"| {labels or ALL:,} | {whole:.1f} | {scratch:.1f} |", flush=True)
    print(f"\n| {few or ALL:,} labelled reviews | test accuracy |\n|---|---:|")
    variants: dict[str, tuple[str, Path, dict[str, str]]] = {
        "all three steps": ("whole", adapted, {}),
        "without pretraining and adaptation": ("scratch", fresh, PLAIN),
        "without adaptation": ("unadapted", pretrained, {}),
        "fine-tuned plainly: all layers at once, one rate, linear": ("plain", adapted, PLAIN),
    }
    for name, (folder, start, changes) in variants.items():
        print(f"| {name} | {classify(out, folder, few, start, **changes):.1f} |", flush=True)


def classify(out: Path, name: str, labels: int, start: Path, **changes: str) -> float:
    """Test accuracy in percent of a classifier that learned from so many labels."""
    settings = {"model.from": f'"{start}"', "train.epochs": PASSES.get(labels, "6"), **changes}
    if labels:  # judged once, at the end: dev is larger than what is learned from
        settings |= {"objective.examples": str(labels), "train.evaluate_every": "1000000"}
    return 100 * run("ulmfit-classify", settings, out / f"{name}-{labels or ALL}")["test_accuracy"]


if __name__ == "__main__":
    main()
