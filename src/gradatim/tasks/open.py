"""Opens models of any kind: a finished file by the runtime alone, a model folder with torch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradatim.errors import need_training

if TYPE_CHECKING:
    from gradatim.engine.artifact import Artifact
    from gradatim.pipelines.language import LanguagePipeline
    from gradatim.pipelines.reader import Reader
    from gradatim.pipelines.text_to_text import TextToText

GENERATIVE = ("seq2seq", "causal")
# What folders of encoders of sentences say that they are: as they began.
PRETRAINED = ("masked", "pretraining")


@dataclass(frozen=True, slots=True)
class Opened:
    """A model with its kind, and what its folder says of generation: for every task, and for one by name."""

    kind: str
    model: Reader | TextToText | LanguagePipeline | None
    generation: Mapping[str, Any] = field(default_factory=dict)
    by_task: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def settings_for(self, task: str) -> dict[str, Any]:
        """What the pipeline of a task begins with."""
        if self.kind not in GENERATIVE:
            return {}
        return {"defaults": {**self.generation, **self.by_task.get(task, {})}}


def load(path: str | os.PathLike[str], *, threads: int | None = None, precision: str | None = None) -> Any:
    """Load a `.gradatim` model of any kind, ready to be called with texts.

    What gives labels is a `TextClassifier`, what gives tags a `SequenceTagger`, what writes a `TextToText`, a language
    model a `LanguagePipeline`; of other kinds it is the pipeline of their task. `threads` and `precision` are as in
    `pipelines.open.load_classifier`.
    """
    from gradatim.engine.artifact import read_artifact

    return load_model(read_artifact(Path(path), mapped=True), threads, precision)


def load_model(artifact: Artifact, threads: int | None, precision: str | None = None) -> Any:
    """The same of an artifact that was read before."""
    from gradatim.pipelines.open import open_artifact, open_tagger

    if artifact.task.kind in ("classification", "tagging"):
        labels = open_artifact if artifact.task.kind == "classification" else open_tagger
        return labels(artifact, threads=threads, precision=precision)
    opened = _opened(artifact, threads, precision)
    if opened.kind in GENERATIVE:
        return opened.model
    from gradatim.tasks.table import JOBS, tasks_of

    return JOBS[tasks_of(opened.kind)[0]].build(opened.model)


def open_file(path: Path, threads: int | None = None) -> Opened:
    """The model of a `.gradatim` or an ARPA file."""
    from gradatim.engine.artifact import read_artifact

    if path.name.removesuffix(".gz").endswith(".arpa"):
        from gradatim.pipelines.open import load_language

        return Opened("causal", load_language(path))
    return _opened(read_artifact(path, mapped=True), threads)


def _opened(artifact: Artifact, threads: int | None, precision: str | None = None) -> Opened:
    from gradatim.pipelines.open import (
        how_answered,
        open_artifact,
        open_grids,
        open_language,
        open_parts,
        open_text_to_text,
    )
    from gradatim.pipelines.reader import Reader

    task, settings = artifact.task, artifact.encoder
    if task.kind == "causal":
        return Opened("causal", open_language(artifact, threads=threads))
    if task.kind == "seq2seq":
        return Opened("seq2seq", open_text_to_text(artifact, threads=threads))
    temperature = 1.0
    if task.kind == "classification":
        model = open_artifact(artifact, threads=threads, precision=precision)
        encoder, session, temperature = model.encoder, model.session, model.temperature
    else:
        encoder, session = open_parts(artifact, threads=threads, precision=precision)
    kind = "classification" if task.kind == "regression" else task.kind
    problem = "regression" if task.kind == "regression" else "multi_label_classification" * task.multi_label
    tokenizer, mask = "tokenizer.json" in artifact.members, settings.get("mask")
    grids = grid = None
    if kind == "table":
        grids, grid = open_grids(artifact)
    reader = Reader(
        kind=kind, session=session, encoder=encoder, labels=task.labels, problem=problem,
        temperature=temperature, pairs=None if settings.get("either") else task.pairs,
        tokenizer=artifact.member("tokenizer.json").decode("utf-8") if tokenizer else None,
        mask=None if mask is None else str(mask), cleans=bool(settings.get("cleans")), decision=how_answered(artifact),
        grids=grids, grid=grid,
    )  # fmt: skip
    return Opened(kind, reader)


def open_folder(
    folder: Path,
    *,
    bare: bool = False,
    kinds: tuple[str, ...] | None = None,
    threads: int | None = None,
) -> Opened:
    """The model of a folder, ours or of Hugging Face, run by torch; `bare`: its body alone.

    Weights are read only if the model is of one of these kinds; where a body is, that of a pretrained encoder is taken.
    """
    need_training("a model folder")
    import torch

    from gradatim.checkpoint.folder import kind_of
    from gradatim.checkpoint.tensors import read_json
    from gradatim.pipelines.language import LanguagePipeline
    from gradatim.tasks.folders import open_reader

    if threads is not None:
        torch.set_num_threads(threads)
    kind = "body" if bare else kind_of(folder)
    if kinds is not None and kind not in kinds:
        if "body" not in kinds or kind not in PRETRAINED:
            return Opened(kind, None)
        bare, kind = True, "body"
    if kind not in GENERATIVE:
        reader = open_reader(folder, bare=bare)
        return Opened(reader.kind, reader)
    fields = read_json(folder / "config.json")
    path = folder / "generation_config.json"
    generation = read_json(path) if path.is_file() else {}
    model = open_writer(folder) if kind == "seq2seq" else open_language(folder)
    if isinstance(model, LanguagePipeline):
        model.opened = "gradatim" in fields  # models of others read prompts as they stand
    return Opened(kind, model, generation, fields.get("task_specific_params") or {})


def open_writer(path: Path, threads: int | None = None) -> TextToText:
    """The model of a `.gradatim` file, or of a folder that `gradatim train` made, run by torch."""
    if path.is_dir():
        from gradatim.tasks.folders import folder_writer

        return folder_writer(path, threads)
    from gradatim.pipelines.open import load_text_to_text

    return load_text_to_text(path, threads=threads)


def open_language(path: Path) -> LanguagePipeline:
    """The language model of a file, or of a folder that `gradatim train` made, run by torch."""
    if path.is_dir():
        from gradatim.tasks.folders import folder_language

        return folder_language(path)
    from gradatim.pipelines.open import load_language

    return load_language(path)
