"""A small BERT, GPT and T5 from nothing, and what pretraining is worth on SST-2.

    GRADATIM_DATA=... python -m benchmarks.pretrain [--models bert gpt t5] [--seeds 0 1 2] [--out FOLDER]

Learns each tokenizer, runs `gradatim train benchmarks/recipes/pretrain-MODEL.toml`, then fine-tunes the network and
its untrained twin (same configuration, tokenizer and recipe) on SST-2. Prints one Markdown table and draws the loss
curves (docs/pretraining.png). What is finished in FOLDER is not run again; what was stopped is resumed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import torch

from benchmarks.finetune import RECIPES, run
from gradatim.checkpoint.folder import read_model, save_model
from gradatim.train.journal import read_log

KINDS = {"bert": ("bert", "--lowercase"), "gpt": ("gpt2",), "t5": ("t5",)}  # of tokenizer
SIZE = 8000
TUNE = {"train.rate": "3e-4", "train.epochs": "6", "data.max_length": "128"}
WHAT = {"bert": "masked words and next sentence", "gpt": "next piece", "t5": "hidden spans"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/pretrain"))
    parser.add_argument("--picture", type=Path, default=Path("docs/pretraining.png"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    print("| network | held-out loss | tokens | tokens/s | SST-2 dev, untrained | pretrained | gain |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name in options.models:
        folder = pretrain(name, options.out)
        log = read_log(folder / "log.jsonl")
        last, scores = log[-1], [record["score"] for record in log if "score" in record]
        untrained = twin(folder / "model", options.out / f"{name}-untrained")
        means = []
        for start in (untrained, folder / "model"):
            found = [
                tune(start, seed, options.out / f"{name}-{start.name}-sst2-{seed}") for seed in options.seeds
            ]
            means.append((statistics.mean(found), min(found), max(found)))
        (before, *low), (after, *high) = means
        speed = statistics.median(record["tokens_per_s"] for record in log if "tokens_per_s" in record)
        print(
            f"| {name}, {WHAT[name]} | {-scores[-1]:.3f} | {last['tokens']:,} | {speed:,.0f} "
            f"| {before:.1f} ({low[0]:.1f}-{low[1]:.1f}) | {after:.1f} ({high[0]:.1f}-{high[1]:.1f}) "
            f"| {after - before:+.1f} |",
            flush=True,
        )
    draw(options.out, options.models, options.picture)


def pretrain(name: str, out: Path) -> Path:
    """The folder of a finished pretraining run."""
    pieces = tokenizer(out / f"{name}-8k.json", SIZE, *KINDS[name])
    trained(f"pretrain-{name}", out / name, {"data.tokenizer": f'"{pieces}"'})
    return out / name


def tokenizer(target: Path, size: int, *kind: str) -> Path:
    """A tokenizer of this kind, learned on the novels and IMDB's unlabelled reviews."""
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        data = Path(os.environ["GRADATIM_DATA"])
        texts = [str(data / "english_novels"), str(data / "imdb" / "unsup.jsonl.xz")]
        options = ["--kind", *kind, "--size", str(size), "--text", "text", "--out", str(target)]
        gradatim("tokenizer", "train", *texts, *options)
    return target


def trained(recipe: str, folder: Path, changes: Mapping[str, str]) -> Path:
    """The finished model of a recipe with changes, trained now or earlier; what was stopped is resumed."""
    if not (folder / "model" / "config.json").is_file():
        settings = [f"{key}={value}" for key, value in changes.items()]
        gradatim("train", str(RECIPES / f"{recipe}.toml"), *settings, "--out", str(folder), "--resume")
    return folder / "model"


def twin(model: Path, folder: Path) -> Path:
    """The same network with fresh weights, and the same tokenizer."""
    if not (folder / "config.json").is_file():
        config = read_model(model).config
        torch.manual_seed(0)
        save_model(config.build(), folder, config=config, tokenizer=model)
    return folder


def tune(start: Path, seed: int, folder: Path) -> float:
    """SST-2 dev accuracy in percent after fine-tuning."""
    return (
        100 * run("sst2", {**TUNE, "model.from": f'"{start}"', "train.seed": str(seed)}, folder)["accuracy"]
    )


def draw(out: Path, models: list[str], picture: Path) -> None:
    """The loss of each network over the tokens it has read."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
    for name in models:
        log = [record for record in read_log(out / name / "log.jsonl") if "loss" in record]
        tokens = [record["tokens"] / 1e6 for record in log]
        (line,) = axis.plot(tokens, [record["loss"] for record in log], lw=0.6, alpha=0.35)
        smooth = [statistics.mean(r["loss"] for r in log[max(0, i - 15) : i + 16]) for i in range(len(log))]
        axis.plot(tokens, smooth, color=line.get_color(), label=f"{name}: {WHAT[name]}")
        held_out = [(record["tokens"] / 1e6, -record["score"]) for record in log if "score" in record]
        axis.plot(*zip(*held_out, strict=True), "o", color=line.get_color(), ms=3.5)
    axis.set_xlabel("million tokens read")
    axis.set_ylabel("loss in nats (dots: of held-out documents)")
    axis.set_title("Pretraining from nothing: 4 layers of width 256, novels and film reviews", loc="left")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False)
    figure.savefig(picture, dpi=150)


def gradatim(*command: str) -> None:
    """Run a command of the package to its end."""
    subprocess.run([sys.executable, "-m", "gradatim", *command], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
