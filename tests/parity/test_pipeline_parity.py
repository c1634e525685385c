"""What a task answers is what the reference's pipeline answers, on tiny random models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from reference_pipelines import write_language, write_model

import gradatim

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
TEXTS = ["Anna lives in Berlin.", "the film wasn't boring, very good!", "xyz Ünited paris-anna 99", "good"]
FIELDS: dict[str, tuple[str, dict[str, Any]]] = {
    "text-classification": ("ForSequenceClassification", {"id2label": {0: "neg", 1: "mid", 2: "pos"}}),
    "one output": ("ForSequenceClassification", {"num_labels": 1}),
    "several labels": (
        "ForSequenceClassification",
        {"num_labels": 3, "problem_type": "multi_label_classification"},
    ),
    "regression": ("ForSequenceClassification", {"num_labels": 1, "problem_type": "regression"}),
    "zero-shot-classification": (
        "ForSequenceClassification",
        {"id2label": {0: "contradiction", 1: "neutral", 2: "entailment"}},
    ),
    "entailment first": (
        "ForSequenceClassification",
        {"id2label": {0: "ENTAILMENT", 1: "neutral", 2: "contradiction"}},
    ),
    "token-classification": ("ForTokenClassification", {"id2label": dict(enumerate(TAGS))}),
    "fill-mask": ("ForMaskedLM", {}),
    "feature-extraction": ("Model", {}),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The folder of a model by its name in `FIELDS`, written when it is first asked for."""
    made: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in made:
            head, fields = FIELDS[name]
            if "id2label" in fields:
                fields = {**fields, "label2id": {label: i for i, label in fields["id2label"].items()}}
            made[name] = write_model(tmp_path_factory.mktemp("model"), head, **fields)
        return made[name]

    return folder


def both(task: str, folder: Path, **options: Any) -> tuple[Any, Any]:
    """The pipelines of both libraries."""
    import transformers

    theirs = transformers.pipeline(task, model=str(folder), tokenizer=str(folder), device=-1, **options)
    return gradatim.pipeline(task, folder, **options), theirs


def same(mine: Any, known: Any) -> None:
    """Equal in shape and words, and in numbers up to rounding."""
    if isinstance(known, dict):
        assert list(mine) == list(known)
        for name in known:
            same(mine[name], known[name])
    elif isinstance(known, list | tuple):
        assert len(mine) == len(known)
        for one, other in zip(mine, known, strict=True):
            same(one, other)
    elif isinstance(known, str | int | None):
        assert mine == known
    else:
        assert isinstance(mine, float)
        assert mine == pytest.approx(float(known), abs=2e-5)


PAIR = {"text": TEXTS[0], "text_pair": TEXTS[1]}


@pytest.mark.parametrize("name", ["text-classification", "one output", "several labels", "regression"])
@pytest.mark.parametrize(
    "options", [{}, {"top_k": 1}, {"top_k": None}, {"top_k": 2, "function_to_apply": "none"}]
)
def test_labels_are_theirs(folders: Any, name: str, options: dict[str, Any]) -> None:
    mine, theirs = both("text-classification", folders(name))
    for inputs in (TEXTS[0], TEXTS, TEXTS[:1], PAIR, [PAIR, PAIR], [TEXTS[0], PAIR]):
        same(mine(inputs, **options), theirs(inputs, **options))
    made, known = both("sentiment-analysis", folders(name), **options)
    for inputs in (TEXTS[0], TEXTS, PAIR):
        same(made(inputs), known(inputs))
    same(list(mine(text for text in TEXTS)), list(theirs(text for text in TEXTS)))


@pytest.mark.parametrize("strategy", ["none", "simple", "first", "average", "max"])
def test_entities_are_theirs(folders: Any, strategy: str) -> None:
    mine, theirs = both("ner", folders("token-classification"), aggregation_strategy=strategy)
    for inputs in (TEXTS[0], TEXTS, TEXTS[:1]):
        same(mine(inputs), theirs(inputs))
        same(mine(inputs, ignore_labels=["LOC", "B-LOC"]), theirs(inputs, ignore_labels=["LOC", "B-LOC"]))
    if strategy in ("simple", "first"):
        old = {"grouped_entities": True, "ignore_subwords": strategy == "first"}
        same(gradatim.pipeline("ner", folders("token-classification"), **old)(TEXTS), theirs(TEXTS))
    same(mine(TEXTS[0].split(), is_split_into_words=True), theirs(TEXTS[0].split(), is_split_into_words=True))


def test_missing_words_are_theirs(folders: Any) -> None:
    mine, theirs = both("fill-mask", folders("fill-mask"))
    one, several = "the film was [MASK] !", "[MASK] lives in [MASK]."
    for inputs in (one, several, [one], [one, several]):
        same(mine(inputs), theirs(inputs))
        same(mine(inputs, top_k=2), theirs(inputs, top_k=2))
        same(mine(inputs, targets=["good", "bad"]), theirs(inputs, targets=["good", "bad"]))
    same(mine(one, targets="goodly", top_k=9), theirs(one, targets="goodly", top_k=9))


def test_features_are_theirs(folders: Any) -> None:
    mine, theirs = both("feature-extraction", folders("feature-extraction"))
    for inputs in (TEXTS[0], TEXTS):
        same(mine(inputs), theirs(inputs))


@pytest.mark.parametrize("name", ["zero-shot-classification", "entailment first"])
@pytest.mark.parametrize("options", [{}, {"multi_label": True}, {"hypothesis_template": "about {}!"}])
def test_chosen_labels_are_theirs(folders: Any, name: str, options: dict[str, Any]) -> None:
    mine, theirs = both("zero-shot-classification", folders(name))
    for labels in (["sports", "news", "film"], "sports, news", ["paris"]):
        for inputs in (TEXTS[0], TEXTS, TEXTS[:1]):
            known = theirs(inputs, candidate_labels=labels, **options)
            same(mine(inputs, candidate_labels=labels, **options), known)
    same(mine(TEXTS[0], ["a", "b"]), theirs(TEXTS[0], ["a", "b"]))


@pytest.mark.parametrize(
    "options",
    [
        {"max_new_tokens": 9},
        {"max_length": 17, "max_new_tokens": None},
        {"max_new_tokens": 7, "num_beams": 3, "num_return_sequences": 2},
        {"max_new_tokens": 7, "min_new_tokens": 7, "no_repeat_ngram_size": 2},
        {"max_new_tokens": 7, "repetition_penalty": 1.3, "return_full_text": False},
        {"max_length": 20, "max_new_tokens": None, "min_length": 18, "num_beams": 2, "length_penalty": 0.5},
    ],
)
def test_texts_are_theirs(tmp_path: Path, options: dict[str, Any]) -> None:
    mine, theirs = both("text-generation", write_language(tmp_path))
    for inputs in ("the cat", ["the cat", "a film"], ["anna"]):
        same(mine(inputs, **options), theirs(inputs, do_sample=False, **options))
