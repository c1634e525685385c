"""Word vectors beside gensim's: the same text, words and settings; quality and speed in one run.

    GRADATIM_DATA=... python -m benchmarks.vectors [--epochs 2] [--threads 2] [--rounds 3]
        [--kinds skip-gram CBOW GloVe]

Text: the novels and IMDB's unlabelled reviews. gensim (pip install gensim) gets the sentences as lists of words, made
before its clock starts. Systems alternate; speed is the median of the rounds, quality that of the first. GloVe stands
alone, since gensim has none; its words/s count every pass over the pairs.
Similarity is the mean of Spearman's correlation over the sets, weighted by pairs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the threads are those of the training itself

import numpy as np

from gradatim.data.plain import line_blocks
from gradatim.pipelines.word_tests import analogies, similarity
from gradatim.vectors.corpus import Words, read_words, sentences
from gradatim.vectors.glove import Glove
from gradatim.vectors.table import WordVectors
from gradatim.vectors.word2vec import Word2Vec

WIDTH, WINDOW, NEGATIVES, SAMPLE = 100, 5, 5, 1e-3
RATES = {False: 0.025, True: 0.05}  # of skip-gram and CBOW


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kinds", nargs="+", default=["skip-gram", "CBOW", "GloVe"])
    options = parser.parse_args()
    data = Path(os.environ["GRADATIM_DATA"])
    sources = [str(path) for path in sorted((data / "english_novels").glob("*.txt.xz"))]
    sources.append(str(data / "imdb" / "unsup.jsonl.xz"))
    text = read_words(sentences(line_blocks(sources, ("text",))), min_count=5)
    print(f"{len(text.ids):,} words, {len(text.words):,} different, {options.epochs} passes\n")
    print(
        "| | words/s | similarity | WS-353 | MEN | SimLex | RW | analogies |\n|---|---:|---:|---:|---:|---:|---:|---:|"
    )

    def row(name: str, table: np.ndarray, seconds: list[float], epochs: int) -> None:
        speed = len(text.ids) * epochs / statistics.median(seconds)
        print(f"| {name} | {speed:,.0f} | {scores(WordVectors(text.words, table), data)} |", flush=True)

    glove = Glove(width=WIDTH)
    for kind in options.kinds:
        if kind == "GloVe":
            table, spent = timed(
                lambda: glove.learn(text.ids, text.rows, text.counts, threads=options.threads)
            )
            row(f"GloVe, gradatim, {glove.epochs} passes over pairs", table, [spent], glove.epochs)
            continue
        systems = {"gradatim": ours, "gensim": theirs}
        rounds = [
            {name: learn(text, kind == "CBOW", options) for name, learn in systems.items()}
            for _ in range(options.rounds)
        ]
        for name, (table, _) in rounds[0].items():
            row(f"{kind}, {name}", table, [found[name][1] for found in rounds], options.epochs)


def ours(text: Words, cbow: bool, options: argparse.Namespace) -> tuple[np.ndarray, float]:
    settings = Word2Vec(
        width=WIDTH, window=WINDOW, negatives=NEGATIVES, sample=SAMPLE, cbow=cbow, rate=RATES[cbow],
        epochs=options.epochs,
    )  # fmt: skip
    return timed(lambda: settings.learn(text.ids, text.rows, text.counts, threads=options.threads))


def theirs(text: Words, cbow: bool, options: argparse.Namespace) -> tuple[np.ndarray, float]:
    from gensim.models import Word2Vec as Peer

    edges = np.flatnonzero(np.diff(text.rows)) + 1
    lists = [[text.words[i] for i in part] for part in np.split(text.ids, edges)]
    model = Peer(
        vector_size=WIDTH, window=WINDOW, negative=NEGATIVES, sample=SAMPLE, sg=int(not cbow), alpha=RATES[cbow],
        min_alpha=RATES[cbow] / 100, min_count=1, workers=options.threads, seed=1,
    )  # fmt: skip
    model.build_vocab(lists)
    _, seconds = timed(lambda: model.train(lists, total_examples=len(lists), epochs=options.epochs))
    return np.array([model.wv[word] for word in text.words], dtype=np.float32), seconds


def timed(work: Callable[[], np.ndarray]) -> tuple[np.ndarray, float]:
    began = time.perf_counter()
    made = work()
    return made, time.perf_counter() - began


def scores(vectors: WordVectors, data: Path) -> str:
    found = [similarity(vectors, path) for path in sorted((data / "word_eval" / "word-sim").glob("*.txt"))]
    named = {one.name: one.score for one in found}
    mean = sum(one.score * one.covered for one in found) / sum(one.covered for one in found)
    solved = analogies(vectors, data / "word_eval" / "questions-words.txt", limit=30_000)[-1]
    single = " | ".join(
        f"{named[name]:.1f}" for name in ("WS-353-ALL", "MEN-TR-3k", "SIMLEX-999", "RW-STANFORD")
    )
    return f"{mean:.1f} | {single} | {solved.score:.1f} ({solved.covered:,} of {solved.total:,})"


if __name__ == "__main__":
    main()
