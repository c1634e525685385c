"""Language models on Penn Treebank: counted, a window, RNN, ReLU, GRU, LSTM, AWD-LSTM, GPT, an hour of one core each.

    GRADATIM_DATA=... python -m benchmarks.language_models [--models lstm ...] [--share 1] [--out FOLDER]

Every network is one call of `gradatim train benchmarks/recipes/ptb-lstm.toml` with the changes named in MODELS, whose
passes take about an hour on one core without bf16; `--share` makes them more or fewer. Perplexity and speed of
scoring are those of the exported files, which run without torch, each sentence read after those before it (the n-gram
model reads sentences alone). What is finished in FOLDER is not run again, what was stopped is resumed.
"""

from __future__ import annotations

import argparse
import gzip
import os
import time
from pathlib import Path

from benchmarks.pretrain import gradatim, trained
from gradatim.checkpoint.folder import read_model
from gradatim.models.classifier import num_parameters
from gradatim.pipelines.open import load_language
from gradatim.train.journal import read_log

PLAIN = {"model.num_layers": "1", "model.width": "650", "model.hidden_width": "650"}
DROPPED = {"model.dropout": "0.4", "model.hidden_dropout": "0.4"}  # less than in many passes
MODELS: dict[str, tuple[str, dict[str, str]]] = {  # what others published, and how it differs from the recipe
    "window": ("140.2 (Mikolov et al. 2011)", {
        "model.preset": "window", "model.width": "200", "model.hidden_width": "650", "model.context": "4",
        "model.dropout": "0.5", "train.epochs": "6",
    }),
    "rnn": ("124.7 (Mikolov & Zweig 2012)", {
        "model.preset": "rnn", **PLAIN, "model.dropout": "0.5", "train.rate": "1e-3", "train.epochs": "12",
    }),
    "relu": ("", {
        "model.preset": "relu", **PLAIN, "model.dropout": "0.5", "train.rate": "1e-3", "train.epochs": "6",
    }),
    "gru": ("", {
        "model.preset": "gru", **PLAIN, "model.num_layers": "2", **DROPPED, "train.epochs": "8",
    }),
    "lstm": ("82.7 (Zaremba et al. 2014)", {**DROPPED, "train.epochs": "7"}),
    "awd-lstm": ("57.3 (Merity et al. 2018)", {
        "model.preset": "awd-lstm", "train.epochs": "4", "data.max_length": "70",
    }),
    "gpt": ("", {
        "model.preset": "gpt2", "model.num_layers": "4", "model.width": "432", "model.num_heads": "8",
        "model.ffn_width": "1728", "model.rotary": "true", "model.max_length": "128", "model.dropout": "0.3",
        "model.attention_dropout": "0.1", "data.max_length": "128", "train.batch_size": "16",
        "train.rate": "5e-4", "train.epochs": "5",
    }),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--share", type=float, default=1.0, help="of the passes")
    parser.add_argument("--out", type=Path, default=Path("runs/ptb"))
    options = parser.parse_args()
    data, out = Path(os.environ["GRADATIM_DATA"]) / "ptb", options.out
    out.mkdir(parents=True, exist_ok=True)
    train, test = (str(data / f"ptb.{part}.txt.gz") for part in ("train", "test"))
    words, counted = out / "words.json", out / "ngram.gradatim"
    if not words.is_file():
        gradatim("tokenizer", "train", train, "--kind", "word", "--size", "10000", "--out", str(words))
    began = time.perf_counter()
    gradatim("lm", "train", train, "--order", "5", "--out", str(counted))
    seconds = time.perf_counter() - began
    print("| model | parameters | passes | training, s | test perplexity | scoring, words/s | published |")
    print("|---|---:|---:|---:|---:|---:|---|")
    perplexity, speed = scored(counted, test, carried=False)
    print(
        f"| 5-gram, Kneser-Ney | | 1 | {seconds:.0f} | {perplexity:.1f} | {speed:,.0f} | 141.2 |", flush=True
    )
    for name in options.models:
        published, changes = MODELS[name]
        epochs = float(changes["train.epochs"]) * options.share
        folder = out / name
        made = trained(
            "ptb-lstm", folder, {**changes, "train.epochs": f"{epochs:g}", "data.tokenizer": f'"{words}"'}
        )
        model, file = read_model(made).model, out / f"{name}.gradatim"
        gradatim("lm", "convert", str(made), str(file))
        perplexity, speed = scored(file, test, carried=True)
        spent = seconds_of(folder)
        print(
            f"| {name} | {num_parameters(model) / 1e6:.1f} M | {epochs:g} | {spent:,.0f} | {perplexity:.1f} "
            f"| {speed:,.0f} | {published} |",
            flush=True,
        )


def seconds_of(folder: Path) -> float:
    """Seconds of training, evaluations left out, by the speeds of its log."""
    log = [record for record in read_log(folder / "log.jsonl") if "tokens_per_s" in record]
    before = 0
    spent = 0.0
    for record in log:
        spent += (record["tokens"] - before) / record["tokens_per_s"]
        before = record["tokens"]
    return spent


def scored(model: Path, text: str, *, carried: bool) -> tuple[float, float]:
    """Perplexity of a text under an exported model, and the words it scores in a second."""
    with gzip.open(text, "rt", encoding="utf-8") as stream:
        lines = [line.rstrip("\n") for line in stream]
    pipeline = load_language(model)
    pipeline.score(lines[:50], carried=carried)
    began = time.perf_counter()
    scores = pipeline.score(lines, carried=carried)
    return scores.perplexity, float(scores.tokens.sum()) / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
