"""What students keep of a teacher too large to ship, with and without unlabelled and edited text.

    GRADATIM_DATA=... python -m benchmarks.students [--out FOLDER] [--variants NAME ...]

Climbs the rungs of `gradatim fit sst2 --teacher mpnet-base` that have to do with the teacher: it is trained once,
and the students once for every kind of text. Unlabelled are the phrases of SST-2's training sentences, their labels
left out, and sentences of IMDB's reviews without labels; none is among SST-2's own, and no longer phrase is part of a
dev sentence. Every student is exported, also in int8, and measured by the ladder's protocol; the throughput of
transformers fp32 running the teacher is measured in the same run, texts sorted by length, in batches of 32. Prints one
Markdown table. What is finished is taken from FOLDER when the script is started again.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import random
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from gradatim.data import load_corpus
from gradatim.ladder.goals import goal_of
from gradatim.ladder.measure import measure, write_texts
from gradatim.ladder.records import Row
from gradatim.ladder.rung import Problem, Rung, Settings
from gradatim.ladder.rungs.finetuned import FinetunedRung
from gradatim.ladder.rungs.int8 import Int8Rung
from gradatim.ladder.rungs.students import EncoderStudent, LstmStudent
from gradatim.ladder.rungs.teacher import TeacherRung
from gradatim.ladder.state import ClimbFolder
from gradatim.train.documents import split_sentences

LONG = 6  # words from which a phrase belongs to one sentence
WORDS = range(4, 40)  # how long an unlabelled sentence may be
VARIANTS = {  # unlabelled sentences, edited copies
    "labelled texts alone": (False, False),
    "edited copies": (False, True),
    "unlabelled": (True, False),
    "unlabelled and edited": (True, True),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/students"))
    parser.add_argument("--sentences", type=int, default=30_000, help="unlabelled ones of IMDB")
    parser.add_argument("--passes", type=float, default=4.0, help="of students over what they read")
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    options = parser.parse_args()
    corpus = load_corpus("sst2")
    chosen = {"data": corpus.digest, "sentences": options.sentences, "passes": options.passes}
    folder = ClimbFolder(options.out, chosen, resume=True)
    threads = len(os.sched_getaffinity(0))
    settings = Settings(teacher="mpnet-base")
    problem = Problem(
        corpus, goal_of(corpus.task), folder.path, folder.shared, "accuracy", 0, threads, settings
    )
    write_texts(corpus.dev, folder.path / "dev.jsonl")
    taught = climb(problem, folder, [FinetunedRung(), TeacherRung()], [])
    teacher = taught[-1].measurement
    theirs = transformers_texts_per_s(folder.shared / "teacher", list(corpus.dev.texts), threads)
    print(f"Teacher {100 * teacher.quality:.1f}; transformers fp32 running it: {theirs:.1f} texts/s.\n")
    print("| student | texts | accuracy | of the teacher | int8 | MB | texts/s | x transformers | train s |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|")
    known = {_plain(text) for text in [*corpus.train.texts, *corpus.dev.texts]}
    held = " ".join(map(_plain, corpus.dev.texts))
    phrases = [
        text
        for text in dict.fromkeys(load_corpus("glue/SST-2").train.texts)
        if _plain(text) not in known and (len(text.split()) < LONG or _plain(text) not in held)
    ]
    extra = [*phrases, *sentences(options.sentences, known)]
    print(f"{len(phrases):,} phrases and {len(extra) - len(phrases):,} sentences without labels.\n")
    for name in options.variants:
        unlabelled, augment = VARIANTS[name]
        passes = options.passes if unlabelled else None
        chosen = replace(settings, unlabelled=extra if unlabelled else (), augment=augment, epochs=passes)
        here = replace(problem, settings=chosen, cache={})
        rungs = [EncoderStudent(None), EncoderStudent(4), EncoderStudent(3), LstmStudent(), Int8Rung()]
        rows = {row.name: row for row in climb(here, folder, rungs, taught, under=name.replace(" ", "-"))}
        for student, row in rows.items():
            if student.endswith("-int8"):
                continue
            small = rows[f"{student}-int8"].measurement
            print(
                f"| {student} | {name} | {100 * row.measurement.quality:.1f} "
                f"| {row.measurement.quality / teacher.quality:.1%} | {100 * small.quality:.1f} "
                f"| {small.size_mb:.1f} | {small.texts_per_s:,.0f} | {small.texts_per_s / theirs:.1f} "
                f"| {row.candidate.made_s:.0f} |",
                flush=True,
            )


def climb(
    problem: Problem, folder: ClimbFolder, rungs: Sequence[Rung], below: Sequence[Row], under: str = ""
) -> list[Row]:
    """Every rung's measured candidates; those of `below` were made before them."""
    made: list[Row] = []
    for rung in rungs:
        name = f"{under}-{rung.name}" if under else rung.name
        results = folder.finished(name)
        if results is None:
            own = made if isinstance(rung, Int8Rung) else [*below, *made]
            pairs = tuple((row.candidate, row.measurement.quality) for row in own)
            here = replace(problem, folder=folder.rung(name), below=pairs)
            texts = folder.path / "dev.jsonl"
            torch.manual_seed(problem.seed)
            results = [Row(candidate, measure(candidate, here, texts)) for candidate in rung.fit(here)]
            folder.finish(name, results)
        made += [row for row in results if isinstance(row, Row)]
    return made


def sentences(count: int, known: set[str]) -> list[str]:
    """Sentences of reviews without labels, drawn with a fixed seed; none that is known."""
    found: set[str] = set()
    with lzma.open(
        Path(os.environ["GRADATIM_DATA"]) / "imdb" / "unsup.jsonl.xz", "rt", encoding="utf-8"
    ) as lines:
        for line in lines:
            cut = map(str.strip, split_sentences(json.loads(line)["text"]))
            found.update(sentence for sentence in cut if len(sentence.split()) in WORDS)
    unseen = sorted(sentence for sentence in found if _plain(sentence) not in known)
    return random.Random(0).sample(unseen, min(count, len(unseen)))


def _plain(text: str) -> str:
    return re.sub(r"\W+", "", text.lower())


def transformers_texts_per_s(folder: Path, texts: list[str], threads: int) -> float:
    """Texts per second of transformers fp32 with the teacher's weights: its best order, after a warm-up."""
    from transformers import AutoModel, PreTrainedTokenizerFast

    torch.set_num_threads(threads)
    model = AutoModel.from_pretrained(folder, add_pooling_layer=False).eval()
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), pad_token="<pad>")
    texts = sorted(texts, key=len)
    batches = [texts[i : i + 32] for i in range(0, len(texts), 32)]

    @torch.inference_mode()
    def run(batch: list[str]) -> None:
        model(**tokenizer(batch, padding=True, truncation=True, max_length=512, return_tensors="pt"))

    for batch in batches[:3]:
        run(batch)
    began = time.perf_counter()
    for batch in batches:
        run(batch)
    return len(texts) / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
