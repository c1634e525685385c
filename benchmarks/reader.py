"""A reader of many kinds of text: learned from reviews, bookings and some of SQuAD's articles, judged on the others.

    GRADATIM_DATA=... python -m benchmarks.reader [--encoder minilm-l6] [--out FOLDER] [KEY=VALUE ...]

There is no SQuAD to train on, only half of its dev: of the 24 articles every fifth is for the test, two are for dev,
the others are learned from, their questions without an answer (2.0) among them. Then `gradatim train
benchmarks/recipes/reader.toml` with the changes given. Dev, of SQuAD and of SubjQA, says when the reader should say
nothing; SQuAD 1.1 always has an answer, and is asked for one. Prints one Markdown table of exact match and F1.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from benchmarks.pretrain import trained
from gradatim import pipeline
from gradatim.data import load_answered_examples
from gradatim.data.annotated import read_json
from gradatim.pipelines.judged import SpanRows, wanted_spans
from gradatim.pipelines.spans import Answer
from gradatim.pipelines.squad import best_threshold, squad_scores

DEV = (8, 18)  # of the articles in SQuAD's order; the test has every fifth from the second on
TESTS = {  # what is asked, and whether there may be no answer
    "SQuAD 1.1, five articles": ("test-1.1.json", False),
    "SQuAD 2.0, four of these": ("test-2.0.json", True),
    "SubjQA": ("subjqa", True),
    "Restaurant-8k": ("restaurant8k", True),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("changes", nargs="*", help="of the recipe, as KEY=VALUE")
    parser.add_argument("--encoder", default="minilm-l6")
    parser.add_argument("--out", type=Path, default=Path("runs/reader"))
    options = parser.parse_args()
    divide(options.out)
    changes = {
        "model.from": f'"{options.encoder}"',
        "data.source": f'["{options.out}/train.json", "subjqa", "restaurant8k"]',
        "data.dev": f'"{options.out}/dev.json"',
        **dict(change.split("=", 1) for change in options.changes),
    }
    rows = SpanRows(pipeline("question-answering", str(trained("reader", options.out / "run", changes))))
    dev = [asked(rows, source, "dev") for source in (f"{options.out}/dev.json", "subjqa")]
    threshold, _ = best_threshold(*(list(chain(*parts)) for parts in zip(*dev, strict=True)))
    print(
        "| asked | questions | without an answer | says nothing of these | exact match | F1 | of the answerable |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, (file, may_be_none) in TESTS.items():
        found, wanted = asked(rows, str(options.out / file) if file.endswith(".json") else file, "test")
        said = ["" if may_be_none and answer.score <= threshold else answer.text for answer in found]
        print(f"| {name} | {line(said, wanted)} |", flush=True)


def divide(out: Path) -> None:
    """SQuAD's articles as train.json, dev.json and the tests."""
    folder = Path(os.environ["GRADATIM_DATA"]) / "squad"
    answered, both = (
        read_json(folder / f"dev-v{version}.first-half.json.gz")["data"] for version in ("1.1", "2.0")
    )
    unseen = {article["title"] for article in answered[1::5]}
    chosen = {answered[i]["title"] for i in DEV}
    parts = {
        "train": [*(without(answered, unseen | chosen)), *map(unanswerable, without(both, unseen | chosen))],
        "dev": [article for article in both if article["title"] in chosen],
        "test-1.1": [article for article in answered if article["title"] in unseen],
        "test-2.0": [article for article in both if article["title"] in unseen],
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, articles in parts.items():
        (out / f"{name}.json").write_text(json.dumps({"data": articles}), encoding="utf-8")


def without(articles: Sequence[dict[str, Any]], titles: set[str]) -> list[dict[str, Any]]:
    """The articles of other titles."""
    return [article for article in articles if article["title"] not in titles]


def unanswerable(article: dict[str, Any]) -> dict[str, Any]:
    """Those questions of an article that have no answer: the others are in 1.1 too."""
    kept = [
        {**paragraph, "qas": [one for one in paragraph["qas"] if not one["answers"]]}
        for paragraph in article["paragraphs"]
    ]
    return {**article, "paragraphs": kept}


def asked(rows: SpanRows, source: str, split: str) -> tuple[list[Answer], list[list[str]]]:
    """The likeliest answers of a split, whether or not they would be said, and those annotated."""
    examples, _ = load_answered_examples(source, split)
    contexts = examples.pairs or ()
    spans = zip(contexts, wanted_spans(examples), strict=True)
    return (
        rows.spans(*rows.logits(examples), contexts),
        [[context[start:end] for start, end in places] for context, places in spans],
    )


def line(said: Sequence[str], wanted: Sequence[Sequence[str]]) -> str:
    """The cells of one test."""
    pairs = list(zip(said, wanted, strict=True))
    answerable = [pair for pair in pairs if pair[1]]
    silent = [answer == "" for answer, golds in pairs if not golds]
    scores, those = squad_scores(said, wanted), squad_scores(*zip(*answerable, strict=True))
    nothing = f"{100 * sum(silent) / len(silent):.1f}" if silent else ""
    figures = f"{100 * scores['exact_match']:.1f} | {100 * scores['f1']:.1f} | {100 * those['f1']:.1f}"
    return f"{len(pairs):,} | {len(silent):,} | {nothing} | {figures}"


if __name__ == "__main__":
    main()
