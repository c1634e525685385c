"""Models as metrics and commands ask them: of a file by the runtime alone, of a folder with torch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from gradatim.errors import ConfigError
from gradatim.tasks.open import load_model, open_folder

if TYPE_CHECKING:
    from gradatim.engine.artifact import Artifact
    from gradatim.pipelines.reader import Reader

# Kinds that data with answers judges.
JUDGED = ("classification", "regression", "tagging", "span", "choice", "table", "seq2seq")
ADVICE = {"causal": ": `gradatim lm score` tells how well it predicts a text"}


def load_judged(path: str | os.PathLike[str], *, threads: int | None = None) -> Any:
    """The model of a `.gradatim` file or of a folder: called with a row's texts, with `answers` of many, and `stream`;
    one that gives numbers, or answers about tables, as the pipeline of its task, one that writes as a `TextToText`.
    """
    from gradatim.engine.artifact import read_artifact

    path = Path(path)
    if not path.is_dir():
        return open_judged(read_artifact(path, mapped=True), threads=threads)
    opened = open_folder(path, kinds=JUDGED, threads=threads)
    if opened.model is None:
        raise _refused(path, opened.kind)
    return opened.model if opened.kind == "seq2seq" else _asked(cast("Reader", opened.model))


def open_judged(artifact: Artifact, *, threads: int | None = None) -> Any:
    """Such a model inside an artifact that was read before."""
    if artifact.task.kind not in JUDGED:
        raise _refused(artifact.path, artifact.task.kind)
    model = load_model(artifact, threads)
    reader = getattr(model, "reader", None)
    return model if reader is None else _asked(reader)


def _refused(path: Path, kind: str) -> ConfigError:
    return ConfigError(
        f"{path} holds a model of kind '{kind}', which labelled data does not judge{ADVICE.get(kind, '')}"
    )


def _asked(reader: Reader) -> Any:
    from gradatim.pipelines.answers import QuestionAnswering
    from gradatim.pipelines.choices import MultipleChoice
    from gradatim.pipelines.classification import TextClassifier
    from gradatim.pipelines.judged import ChoiceRows, SpanRows
    from gradatim.pipelines.labels import TextClassification
    from gradatim.pipelines.tables import TableQuestionAnswering
    from gradatim.pipelines.tagger import SequenceTagger

    match reader.kind:
        case "span":
            return SpanRows(QuestionAnswering(reader))
        case "choice":
            return ChoiceRows(MultipleChoice(reader))
        case "table":
            return TableQuestionAnswering(reader)
        case "tagging":
            return SequenceTagger(reader.encoder, reader.session, reader.task)
        case "classification" if reader.problem != "regression":
            either = reader.pairs is None
            return TextClassifier(reader.encoder, reader.session, reader.task, either=either)
        case _:
            return TextClassification(reader)
