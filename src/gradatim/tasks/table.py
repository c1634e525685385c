"""The tasks by name: what does each, which models can, and what to take where no model is named."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gradatim.errors import ConfigError, did_you_mean
from gradatim.pipelines.answers import QuestionAnswering
from gradatim.pipelines.blanks import FillMask
from gradatim.pipelines.choices import MultipleChoice
from gradatim.pipelines.entities import TokenClassification
from gradatim.pipelines.features import FeatureExtraction, SentenceSimilarity
from gradatim.pipelines.generation import TextGeneration
from gradatim.pipelines.labels import TextClassification
from gradatim.pipelines.tables import TableQuestionAnswering
from gradatim.pipelines.writing import Summarization, Text2TextGeneration, Translation
from gradatim.pipelines.zero_shot import ZeroShotClassification

_TRANSLATION = re.compile(r"translation_[A-Za-z]+_to_[A-Za-z]+")


WRITER = (
    "`gradatim train benchmarks/recipes/{}.toml` or `gradatim fit` on pairs of texts makes one; "
    "'google-t5/t5-small' is one"
)


@dataclass(frozen=True, slots=True)
class Job:
    """A task: what does it, the kinds of models that can, the name of one in the catalog that is taken where none is
    given, and how to come by another.

    `bare`: only the body of a model is used, whatever head stands on it in its folder.
    """

    build: Callable[..., Any]
    kinds: tuple[str, ...]
    advice: str
    default: str | None = None
    bare: bool = False


JOBS: Mapping[str, Job] = {
    "text-classification": Job(
        TextClassification, ("classification",),
        "`gradatim train benchmarks/recipes/sst2.toml` or `gradatim fit reviews.csv` makes one; "
        "'distilbert/distilbert-base-uncased-finetuned-sst-2-english' is one",
    ),
    "token-classification": Job(
        TokenClassification, ("tagging",),
        "`gradatim train benchmarks/recipes/conll2003.toml` or `gradatim fit train.txt` on words with tags makes one; "
        "'dslim/bert-base-NER' is one",
    ),
    "question-answering": Job(
        QuestionAnswering, ("span",),
        "`gradatim train benchmarks/recipes/squad.toml` or `gradatim fit` on questions with answers makes one; "
        "'distilbert/distilbert-base-cased-distilled-squad' is one",
    ),
    "fill-mask": Job(
        FillMask, ("masked", "pretraining"),
        "`gradatim train benchmarks/recipes/pretrain-bert.toml` makes one; 'google-bert/bert-base-uncased' is one",
    ),
    "feature-extraction": Job(
        FeatureExtraction, ("body",), "any encoder will do", default="minilm-l6", bare=True
    ),
    "sentence-similarity": Job(
        SentenceSimilarity, ("body",), "any encoder trained for sentences will do", default="minilm-l6", bare=True
    ),
    "zero-shot-classification": Job(
        ZeroShotClassification, ("classification", "body"),
        "any encoder trained for sentences will do; `gradatim train benchmarks/recipes/entailment.toml` makes one of "
        "inference, 'cross-encoder/nli-distilroberta-base' is one",
        default="minilm-l6",
    ),
    "multiple-choice": Job(
        MultipleChoice, ("choice",),
        "`gradatim train benchmarks/recipes/dream.toml` or `gradatim fit` on questions with choices makes one",
    ),
    "table-question-answering": Job(
        TableQuestionAnswering, ("table",),
        "`gradatim train benchmarks/recipes/wikitablequestions.toml` makes one; "
        "'google/tapas-base-finetuned-wtq' is one",
    ),
    "text-generation": Job(
        TextGeneration, ("causal",),
        "`gradatim train benchmarks/recipes/pretrain-gpt.toml` or `gradatim lm train corpus.txt` makes one; "
        "'openai-community/gpt2' is one",
    ),
    "text2text-generation": Job(Text2TextGeneration, ("seq2seq",), WRITER.format("multi30k-transformer")),
    "translation": Job(Translation, ("seq2seq",), WRITER.format("multi30k-transformer")),
    "summarization": Job(Summarization, ("seq2seq",), WRITER.format("aeslc-minilm")),
}  # fmt: skip
ALIASES = {"sentiment-analysis": "text-classification", "ner": "token-classification"}


def known_tasks() -> list[str]:
    """All names of tasks, aliases among them."""
    return [*JOBS, *ALIASES]


def find_task(name: str) -> str:
    """The task that a name stands for; raises ConfigError with the nearest for an unknown one."""
    name = ALIASES.get(name, str(name))
    if _TRANSLATION.fullmatch(name):
        return "translation"
    if name not in JOBS:
        known = known_tasks()
        raise ConfigError(f"unknown task '{name}'{did_you_mean(name, known)}; known: {', '.join(known)}")
    return name


def tasks_of(kind: str, *, folder: bool = False) -> list[str]:
    """The tasks that a model of this kind can do; in a folder its body can be had alone."""
    return [name for name, job in JOBS.items() if kind in job.kinds or (folder and job.bare)]
