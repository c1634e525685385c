"""n-gram models on Penn Treebank: smoothing methods, sparsity and storage by order, and KenLM beside us.

    GRADATIM_DATA=... python -m benchmarks.ngram [--rounds 5]

Prints Markdown tables. KenLM (pip install kenlm) reads the ARPA file that we wrote and scores the same sentences, one
thread each, in alternating rounds; the figures are medians.
"""

from __future__ import annotations

import argparse
import gzip
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gradatim.ngram.arpa import read_arpa, write_arpa
from gradatim.ngram.build import Built, build
from gradatim.ngram.model import NgramModel
from gradatim.ngram.smoothing import named
from gradatim.pipelines.language import LanguagePipeline
from gradatim.text.space import IN_MEMORY

PUBLISHED = {  # Mikolov & Zweig 2012 and Mikolov et al. 2011, test perplexity on this split
    ("katz", 3): "165.2", ("katz", 5): "162.3", ("kneser-ney", 3): "148.3", ("kneser-ney", 5): "141.2",
}  # fmt: skip
METHODS = {  # and what is dropped: SRILM, with which the published figures were made, drops it from orders 3 and up
    "add-k": (), "stupid": (), "katz": (0, 0, 1), "kneser-ney": ()
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    train, test = read("train"), read("test")
    perplexities(train, test)
    built = made(train, 5, "kneser-ney", dev=test)
    model = NgramModel.of(built.table, built.vocabulary)
    storage(built, model)
    speed(train, test, built, options.rounds)


def read(part: str) -> list[str]:
    path = Path(os.environ["GRADATIM_DATA"]) / "ptb" / f"ptb.{part}.txt.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [line.strip() for line in lines]


def made(train: list[str], order: int, method: str, dev: list[str] | None = None) -> Built:
    prune = METHODS[method][:order]
    held_out = [("dev", "\n".join(dev).encode())] if dev else None
    lines = [("train", "\n".join(train).encode())]
    add = 0.01 if method == "add-k" else None
    return build(
        lines, order=order, smoothing=named(method, add=add), prune=prune, dev=held_out, space=IN_MEMORY
    )


def perplexities(train: list[str], test: list[str]) -> None:
    print("| smoothing | order 2 | order 3 | order 5 | published, orders 3 and 5 |\n|---|---:|---:|---:|---|")
    for method in METHODS:
        cells = []
        for order in (2, 3, 5):
            built = made(train, order, method)
            model = NgramModel.of(built.table, built.vocabulary)
            cells.append(f"{LanguagePipeline(model).score(test).perplexity:.2f}")
        known = ", ".join(PUBLISHED[method, order] for order in (3, 5) if (method, order) in PUBLISHED)
        shown = cells if named(method).sums_to_one else [f"({cell})" for cell in cells]
        how = {"add-k": ", k = 0.01", "katz": ", what was seen once left out of orders 3 and up"}.get(
            method, ""
        )
        print(f"| {method}{how} | {' | '.join(shown)} | {known} |")
    print()


def storage(built: Built, model: NgramModel) -> None:
    print(
        "| order | n-grams | seen once | unseen in test | sentences impossible without smoothing | MB | bytes each |"
    )
    print("|---:|---:|---:|---:|---:|---:|---:|")
    for n, (facts, (kept, size)) in enumerate(zip(built.sparsity, model.sizes, strict=True), 1):
        print(
            f"| {n} | {facts.ngrams:,} | {facts.once / facts.ngrams:.1%} | {facts.unseen:.1%} | {facts.impossible:.1%} "
            f"| {size / 1e6:.1f} | {size / kept:.1f} |"
        )
    print()


def speed(train: list[str], test: list[str], built: Built, rounds: int) -> None:
    import kenlm

    words = sum(len(line.split()) + 1 for line in test)
    with tempfile.TemporaryDirectory() as folder:
        arpa = Path(folder) / "model.arpa"
        write_arpa(arpa, built.table, built.vocabulary)
        ours = LanguagePipeline(NgramModel.of(*read_arpa(arpa)))
        theirs = kenlm.Model(str(arpa))
        taken: dict[str, list[float]] = {}
        for _ in range(rounds):
            for name, work in {
                "estimate": lambda: made(train, 5, "kneser-ney"),
                "pack": lambda: NgramModel.of(built.table, built.vocabulary),
                "arpa": lambda: NgramModel.of(*read_arpa(arpa)),
                "kenlm arpa": lambda: kenlm.Model(str(arpa)),
                "score": lambda: ours.score(test),
                "kenlm score": lambda: [theirs.score(line) for line in test],
            }.items():
                taken.setdefault(name, []).append(seconds(work))
        middle = {name: statistics.median(times) for name, times in taken.items()}
        log10 = sum(theirs.score(line) for line in test)
        print("| | gradatim | KenLM | ratio |\n|---|---:|---:|---:|")
        print(
            f"| perplexity of the same ARPA file | {ours.score(test).perplexity:.4f} | {10 ** (-log10 / words):.4f} | |"
        )
        print(
            f"| text to model, seconds | {middle['estimate'] + middle['pack']:.2f} | (its binding does not train) | |"
        )
        ratio = middle["kenlm arpa"] / middle["arpa"]
        print(
            f"| ARPA file to model, seconds | {middle['arpa']:.2f} | {middle['kenlm arpa']:.2f} | {ratio:.2f} x |"
        )
        speeds = [words / middle[name] for name in ("score", "kenlm score")]
        print(f"| scoring, words/s | {speeds[0]:,.0f} | {speeds[1]:,.0f} | {speeds[0] / speeds[1]:.2f} x |")


def seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
