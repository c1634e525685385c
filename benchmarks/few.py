"""What a few labels buy: accuracy on test at 0, 8, 16 and 64 labels per class, one Markdown table.

    GRADATIM_DATA=... python -m benchmarks.few [--sets trec banking77] [--labels 8 16 64] [--seeds 0 1 2]
        [--methods frozen few finetuned] [--encoder minilm-l6] [--precision fp32] [--threads 1] [--out FOLDER]

So many texts of every class are drawn from train by the seed. Methods are the rungs of `gradatim fit`: logistic
regression on frozen features, contrastive tuning with logistic regression on the tuned features, and fine-tuning. The
strength of a regression is chosen on dev, 500 texts of train that are never learned from; test is read once. No labels:
`pipeline("zero-shot-classification")` with the names below, the first wording, which texts of train chose. What
is finished is taken from FOLDER when the script is started again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from gradatim import pipeline
from gradatim.data import load_corpus
from gradatim.engine.atomic import atomic_file
from gradatim.engine.processor import available_cores
from gradatim.ladder.goals import goal_of
from gradatim.ladder.machine import described
from gradatim.ladder.rung import Problem, Rung, Settings
from gradatim.ladder.rungs.few import FewRung
from gradatim.ladder.rungs.finetuned import FinetunedRung
from gradatim.ladder.rungs.frozen import FrozenRung
from gradatim.tasks.open import load
from gradatim.types import Corpus, Examples

RUNGS: dict[str, Rung] = {rung.name: rung for rung in (FrozenRung(), FewRung(), FinetunedRung())}
DEV = 500  # texts of dev that are used
NAMES = {  # of classes, for who reads them
    "trec": {
        "DESC": "a description or definition", "ENTY": "a thing", "ABBR": "an abbreviation", "HUM": "a person",
        "LOC": "a place", "NUM": "a number",
    },
}  # fmt: skip
WORDINGS = {
    "trec": (
        "This question asks about {}.",
        "{}",
        "This example is {}.",
        "What is the {}?",
        "The answer is {}.",
    ),
    "banking77": ("{}", "This example is {}.", "The customer asks about: {}", "My question is about {}."),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", default=list(WORDINGS), choices=list(WORDINGS))
    parser.add_argument("--labels", nargs="+", type=int, default=[8, 16, 64])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--methods", nargs="*", default=list(RUNGS), choices=list(RUNGS))
    parser.add_argument("--encoder", default="minilm-l6")
    parser.add_argument(
        "--judge", help="the model that judges without labels: another encoder, a model of inference"
    )
    parser.add_argument("--precision", default="auto", choices=["auto", "bf16", "fp32"])
    parser.add_argument("--threads", type=int, default=available_cores())
    parser.add_argument("--wordings", action="store_true", help="only compare wordings of labels, on dev")
    parser.add_argument("--out", type=Path, default=Path("runs/few"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"Processor: {described()}; encoder {options.encoder}.\n")
    if options.wordings:
        compare(options)
        return
    titles = ["data", "labels per class", "method", "test accuracy: mean (range, seeds)", "seconds"]
    print("| " + " | ".join(titles) + " |\n|---|---:|---|---:|---:|")
    for name in options.sets:
        judge = options.judge or options.encoder
        found = kept(options.out / f"{name}-0-{judge.replace('/', '_')}", partial(zero_shot, name, judge))
        print(row(name, 0, f"zero-shot, {judge}", [found]), flush=True)
        for labels in options.labels:
            for method in options.methods:
                print(row(name, labels, method, runs(options, name, labels, method)), flush=True)


def compare(options: argparse.Namespace) -> None:
    """Every wording of every set on dev."""
    print("| data | wording | dev accuracy |\n|---|---|---:|")
    for name in options.sets:
        dev = some(load_corpus(name).dev)
        for wording in WORDINGS[name]:
            right = judged(name, options.judge or options.encoder, dev, wording)
            print(f"| {name} | {wording} | {100 * right:.1f} |", flush=True)


def row(name: str, labels: int, method: str, found: Sequence[dict[str, float]]) -> str:
    """One line of the table."""
    scores = [100 * one["accuracy"] for one in found]
    middle, seconds = statistics.mean(scores), statistics.median(one["made_s"] for one in found)
    spread = f" ({min(scores):.1f}-{max(scores):.1f}, {len(scores)})" if len(scores) > 1 else ""
    return f"| {name} | {labels} | {method} | {middle:.1f}{spread} | {seconds:.0f} |"


def runs(options: argparse.Namespace, name: str, labels: int, method: str) -> list[dict[str, float]]:
    """The figures of one method for every seed."""
    found = []
    for seed in options.seeds:
        folder = options.out / f"{name}-{labels}-{options.encoder.replace('/', '_')}-{seed}"
        settings = Settings(encoder=options.encoder, precision=options.precision)
        make = partial(learned, (name, labels, seed), RUNGS[method], folder, settings, options.threads)
        found.append(kept(folder / method, make))
    return found


def kept(folder: Path, make: Callable[[], dict[str, float]]) -> dict[str, float]:
    """Figures that were made before, or now."""
    path = folder / "figures.json"
    if not path.is_file():
        figures = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as handle:
            handle.write(json.dumps(figures).encode())
    found: dict[str, float] = json.loads(path.read_text())
    return found


def drawn(name: str, labels: int, seed: int) -> Corpus:
    """The set with so many training texts of every class, or all that a class has."""
    whole = load_corpus(name)
    order = np.random.default_rng(seed).permutation(len(whole.train))
    own = [order[whole.train.targets[order] == k][:labels] for k in range(len(whole.task.labels))]
    train = whole.train.take(np.sort(np.concatenate(own)))
    return replace(whole, train=train, dev=some(whole.dev))


def some(dev: Examples) -> Examples:
    """So many of dev, the same always."""
    return dev.take(np.random.default_rng(0).permutation(len(dev))[:DEV])


def learned(
    what: tuple[str, int, int], rung: Rung, folder: Path, settings: Settings, threads: int
) -> dict[str, float]:
    """Accuracy on test of what a rung makes of the texts drawn, and the seconds that it took."""
    corpus, seed = drawn(*what), what[-1]
    own = folder / rung.name
    own.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    (made,) = rung.fit(
        Problem(corpus, goal_of(corpus.task), own, folder / "shared", "accuracy", seed, threads, settings)
    )
    assert corpus.test is not None
    answers = load(made.artifact, threads=threads).probabilities(corpus.test.texts).argmax(1)
    return {"accuracy": float(np.mean(answers == corpus.test.targets)), "made_s": made.made_s}


def zero_shot(name: str, model: str) -> dict[str, float]:
    """Accuracy on test without a label, and the seconds that reading took."""
    began, test = time.perf_counter(), load_corpus(name).test
    assert test is not None
    right = judged(name, model, test, WORDINGS[name][0])
    return {"accuracy": right, "made_s": time.perf_counter() - began}


def judged(name: str, model: str, examples: Examples, wording: str) -> float:
    """The share of texts whose class a model finds by its name."""
    written = NAMES.get(name, {})
    labels = [
        written.get(label, label.replace("_", " ").rstrip("?")) for label in load_corpus(name).task.labels
    ]
    judge = pipeline("zero-shot-classification", model, candidate_labels=labels, hypothesis_template=wording)
    answers = [labels.index(found["labels"][0]) for found in judge(list(examples.texts))]
    return float(np.mean(np.array(answers) == examples.targets))


if __name__ == "__main__":
    main()
