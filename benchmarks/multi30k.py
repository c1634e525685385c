"""Encoder-decoders on Multi30k: what attention is worth, by length of the sentence, and published figures beside ours.

    GRADATIM_DATA=... python -m benchmarks.multi30k [--models NAME ...] [--out FOLDER]

Everything is in lower case, as in the literature. Learns the vocabularies, runs the recipes in this order
(benchmarks/recipes/multi30k-*.toml; what is finished in FOLDER is not run again, what was stopped is resumed),
translates test_2016_flickr with 5 beams by each, prints one Markdown table and draws BLEU by length of the source
(docs/sentence-length.png).
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.finetune import run
from gradatim.checkpoint.folder import read_model
from gradatim.data.parallel import Parallel, load_parallel
from gradatim.pipelines.overlap import TOKENISED, overlap
from gradatim.tasks.open import open_writer
from gradatim.train.journal import read_log

SIZE = 8000
BEAMS = 5
EDGES = (0, 8, 10, 12, 14, 17, 60)  # words of the source: groups of like length
RUNS: Mapping[str, tuple[str, str, dict[str, str]]] = {  # name: pair, recipe, what is changed
    "rnn": ("en-de", "multi30k-rnn", {"model.attention": '"none"'}),
    "rnn, bahdanau": ("en-de", "multi30k-rnn", {"model.attention": '"bahdanau"'}),
    "rnn, luong": ("en-de", "multi30k-rnn", {"model.attention": '"luong-general"'}),
    "convolutional": ("en-de", "multi30k-conv", {}),
    "transformer": ("en-de", "multi30k-transformer", {}),
    "transformer, redrawn": ("en-de", "multi30k-transformer", {"objective.redrawn": "0.25"}),
    "transformer, cooled": ("en-de", "multi30k-cooled", {}),
    "marian": ("en-de", "multi30k-marian", {}),
    "transformer, half": ("en-de", "multi30k-student", {}),
    "transformer, en-fr": ("en-fr", "multi30k-transformer", {
        "objective.redrawn": "0.25", "train.schedule": '"cosine"', "train.epochs": "55",
    }),
}  # fmt: skip
# Wu et al. 2021, table 2: Transformer-Tiny.
PUBLISHED = {
    "transformer": "41.0",
    "transformer, cooled": "41.0",
    "transformer, en-fr": "61.8",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=list(RUNS), choices=list(RUNS))
    parser.add_argument("--out", type=Path, default=Path("runs/multi30k"))
    parser.add_argument("--picture", type=Path, default=Path("docs/sentence-length.png"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    print("| model | weights | training s | tokens/s | BLEU, tokenised | published | sacreBLEU | chrF |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    curves: dict[str, list[float]] = {}
    for name in options.models:
        pair, recipe, changes = RUNS[name]
        folder = options.out / name.replace(", ", "-")
        data = {"data.source": f'"multi30k/{pair}"', "data.tokenizer": f'"{vocabulary(pair, options.out)}"'}
        language = {"objective.language": f'"{pair[-2:]}"'}
        if recipe == "multi30k-student":
            data |= taught(options.out, data)
        if recipe == "multi30k-cooled":
            data["model.from"] = f'"{(options.out / "transformer-redrawn" / "model").resolve()}"'
        run(recipe, {**data, **language, **changes}, folder)
        test = load_parallel(f"multi30k/{pair}")[0]["test"]
        written = translations(folder, test)
        wanted = [target.lower() for target in test.targets]  # the vocabularies have lower case alone
        found = overlap(written, wanted, "bleu", language=pair[-2:])
        log = [record for record in read_log(folder / "log.jsonl") if "tokens_per_s" in record]
        speed = statistics.median(record["tokens_per_s"] for record in log)
        weights = sum(part.numel() for part in read_model(folder / "model").model.parameters())
        print(
            f"| {name} | {weights / 1e6:.1f} M | {log[-1]['tokens'] / speed:,.0f} | {speed:,.0f} "
            f"| {found[TOKENISED]:.1f} | {PUBLISHED.get(name, '')} | {found['bleu']:.1f} | {found['chrf']:.1f} |",
            flush=True,
        )
        if pair == "en-de":
            curves[name] = by_length(test, written)
    draw(curves, options.picture)


def vocabulary(pair: str, out: Path) -> Path:
    """The pieces of both languages, learned once."""
    path = (out / f"{pair}.json").resolve()
    if not path.is_file():
        options = ["--kind", "marian", "--size", str(SIZE), "--lowercase", "--out", str(path)]
        command = [sys.executable, "-m", "gradatim", "tokenizer", "train", f"multi30k/{pair}", *options]
        subprocess.run(command, check=True, stdout=sys.stderr)
    return path


def taught(out: Path, data: dict[str, str]) -> dict[str, str]:
    """Where the student's teacher is, and training pairs that it wrote."""
    teacher = (out / "transformer-cooled" / "model").resolve()
    train = load_parallel("multi30k/en-de")[0]["train"]
    paths = [(out / f"taught.{language}").resolve() for language in ("en", "de")]
    if not paths[1].is_file():
        writer = open_writer(teacher)
        written = writer(train.sources, writer.search(beams=BEAMS, max_length=100))
        for path, texts in zip(paths, (train.sources, written), strict=True):
            path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    pairs = f'"{out.resolve()}/taught.{{en,de}}"'
    return {
        "data.source": pairs,
        "data.dev": '"multi30k/en-de/dev"',
        "distillation.teacher": f'"{teacher}"',
    } | {name: value for name, value in data.items() if name != "data.source"}


def translations(folder: Path, test: Parallel) -> list[str]:
    """What the model of a run writes for the test split, now or earlier."""
    path = folder / "test.txt"
    if not path.is_file():
        writer = open_writer(folder / "model")
        written = writer(test.sources, writer.search(beams=BEAMS, max_length=100))
        path.write_text("".join(f"{text}\n" for text in written), encoding="utf-8")
    return path.read_text(encoding="utf-8").splitlines()


def by_length(test: Parallel, written: Sequence[str]) -> list[float]:
    """Tokenised BLEU of the sentences of each group."""
    lengths = np.array([len(source.split()) for source in test.sources])
    found = []
    for low, high in pairwise(EDGES):
        rows = np.flatnonzero((lengths > low) & (lengths <= high))
        have, want = ([side[row] for row in rows] for side in (written, test.targets))
        found.append(overlap(have, want, "bleu", language="de")[TOKENISED])
    return found


def draw(curves: Mapping[str, Sequence[float]], path: Path) -> None:
    """BLEU against the length of the source, a line for each model with its name at its end."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.6, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes: Any = figure.add_subplot()
    names = [f"{low + 1}-{high}" for low, high in pairwise(EDGES)]
    names[-1] = f"over {EDGES[-2]}"
    shades = {
        "rnn": "#b7a99a",
        "rnn, bahdanau": "#c98500",
        "rnn, luong": "#e0a84e",
        "convolutional": "#2a7f9e",
    }
    for name, values in curves.items():
        if name in ("transformer", "transformer, redrawn", "marian", "transformer, half"):
            continue
        colour = shades.get(name, "#0b6b4f")
        axes.plot(names, values, color=colour, marker="o", markersize=5, linewidth=2)
        axes.annotate(
            name, (len(names) - 1, values[-1]), (8, 0), textcoords="offset points", color=colour, va="center"
        )
    axes.set_xlim(-0.3, len(names) + 0.4)
    axes.set_xlabel("words of the source")
    axes.set_ylabel("BLEU, test 2016")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.25)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
