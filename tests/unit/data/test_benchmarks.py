"""The benchmark sets under GRADATIM_DATA, against the counts of their README."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from gradatim.data import load_corpus, load_examples, load_texts
from gradatim.data.named import NAMED, named_key

pytest.importorskip("datasets")

ROOT = os.environ.get("GRADATIM_DATA", "")
needs_data = pytest.mark.skipif(
    not (ROOT and Path(ROOT).is_dir()), reason="GRADATIM_DATA does not name a folder with the benchmark sets"
)

# name: labels, rows per split; a made dev is part of the given train rows
COUNTS = {
    "sst2": (2, (6920, 872, 0)),
    "sst5": (5, (8544, 1101, 0)),
    "glue/SST-2": (2, (67349, 872, 0)),
    "imdb": (2, (22500, 2500, 24999)),
    "trec": (6, (4906, 546, 500)),
    "ag_news": (4, (4499, 500, 7600)),
    "20newsgroups": (20, (10182, 1132, 7532)),
    "banking77": (77, (8998, 1005, 3080)),
    "clinc150": (151, (15100, 3100, 5500)),
    "goemotions": (28, (43410, 5426, 5427)),
    "mrpc": (2, (3668, 408, 1725)),
    "rte": (2, (2490, 277, 0)),
    "rte/neutral": (2, (2490, 277, 0)),
    "cola": (2, (8551, 1043, 0)),
    "sick": (3, (4500, 500, 4927)),
}


@pytest.fixture(autouse=True, scope="module")
def _shared_cache(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADATIM_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@needs_data
@pytest.mark.parametrize("name", COUNTS)
def test_counts(name: str) -> None:
    num_labels, sizes = COUNTS[name]
    corpus = load_corpus(name)
    assert len(corpus.task.labels) == num_labels
    assert (len(corpus.train), len(corpus.dev), len(corpus.test or ())) == sizes
    assert corpus.task.multi_label == (name == "goemotions")
    assert corpus.task.pairs == (name in {"mrpc", "rte", "rte/neutral", "sick"})
    assert corpus.citation


def first_text(name: str, label: str) -> str:
    corpus = load_corpus(name)
    return corpus.train.texts[int(np.argmax(corpus.train.targets == corpus.task.labels.index(label)))]


@needs_data
@pytest.mark.parametrize(
    ("name", "label", "words"),
    [
        ("sst2", "positive", "stirring , funny"),
        ("sst2", "negative", "cutting room floor"),
        ("imdb", "positive", "Bromwell High"),
        ("trec", "DESC", "How did serfdom develop"),
        ("trec", "ENTY", "What films featured"),
        ("trec", "ABBR", "full form of .com"),
        ("trec", "HUM", "contemptible scoundrel"),
        ("trec", "LOC", "sprawling U.S. state"),
        ("trec", "NUM", "When was Ozzy"),
        ("ag_news", "Business", "Oil Prices"),
        ("mrpc", "equivalent", "Amrozi accused"),
        ("rte", "not_entailment", "Weapons of Mass Destruction"),
        ("clinc150", "oos", "overdraft fee"),
    ],
)
def test_names_stand_for_the_right_texts(name: str, label: str, words: str) -> None:
    assert words in first_text(name, label)


@needs_data
def test_sst2_class_counts() -> None:
    corpus = load_corpus("sst2")
    assert np.bincount(corpus.train.targets).tolist() == [3310, 3610]
    assert np.bincount(corpus.dev.targets).tolist() == [428, 444]


@needs_data
def test_evaluating_a_model_on_a_named_set() -> None:
    task = load_corpus("goemotions").task
    examples, _ = load_examples("goemotions", task, split="dev")
    assert examples.targets.shape == (5426, 28)
    assert np.array_equal(examples.targets, load_corpus("goemotions").dev.targets)


@needs_data
def test_unlabelled_reviews() -> None:
    texts, pairs = load_texts("imdb/unsup")
    assert len(texts) == 50_000
    assert pairs is None


@pytest.mark.parametrize(
    ("name", "key"),
    [("SST2", "sst2"), ("glue/MRPC", "mrpc"), ("glue/RTE", "rte"), ("glue/sst-2", "glue/SST-2"), ("x", None)],
)
def test_names_in_any_case(name: str, key: str | None) -> None:
    assert named_key(name) == key


@needs_data
@pytest.mark.parametrize("name", NAMED)
def test_files_are_where_the_table_says(name: str) -> None:
    files: Sequence[str] = list(NAMED[name].files.values())
    assert all((Path(ROOT) / file).is_file() for file in files)
