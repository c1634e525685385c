"""Opens models of any kind: a finished file by the runtime alone, a model folder with torch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradatim.errors import ConfigError, need_training

if TYPE_CHECKING:
    from gradatim.engine.artifact import Artifact
    from gradatim.models.language import LanguageModel
    from gradatim.pipelines.language import LanguagePipeline
    from gradatim.pipelines.reader import Reader
    from gradatim.pipelines.text_to_text import TextToText

LONGEST = 512  # tokens of a text read at once by a model that sets no limit: longer ones are read in parts
MASKS = ("[MASK]", "<mask>")  # what tokenizers call it
GENERATIVE = ("seq2seq", "causal")
PRETRAINED = (
    "masked",
    "pretraining",
)  # what folders of encoders of sentences say that they are: as they began


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


def open_reader(folder: Path, *, bare: bool = False) -> Reader:
    """The model of a folder that reads, with its encoder; `bare`: its body alone."""
    from gradatim.checkpoint.folder import load_body, read_model, tokenizer_json
    from gradatim.checkpoint.tensors import read_json
    from gradatim.models.encoders import encoder_for
    from gradatim.models.session import TorchSession
    from gradatim.pipelines.reader import Reader, shared
    from gradatim.text.grids import GridEncoder

    labels: tuple[str, ...] = ()
    kind = "body"
    if bare:
        model: Any = load_body(folder).eval()
        config = model.config
    else:
        read = read_model(folder)
        model, kind, config = read.model, read.config.kind, read.config.body
        labels = read.config.labels or tuple(f"LABEL_{i}" for i in range(read.config.num_outputs))
    fields = read_json(folder / "config.json")
    number = "gradatim" in fields and kind == "classification" and len(labels) == 1
    problem = fields.get("problem_type") or "regression" * number
    told = _told(folder)
    length = _readable(told, config.longest)
    tokenizer = tokenizer_json(folder)
    pieces = encoder_for(config, tokenizer, max_length=length, stride=shared(length))
    grids = grid = None
    if kind == "table" and (grid := read.config.grid) is not None:
        labels = read.config.labels
        grids = GridEncoder(pieces, read.config.transformer.embedding.marks, grid)
    return Reader(
        kind=kind, session=TorchSession(model), encoder=pieces, labels=labels,
        problem=str(problem), tokenizer=tokenizer,
        mask=_mask(told.get("mask_token"), pieces.tokenizer), cleans=bool(told.get("clean_up_tokenization_spaces")),
        grids=grids, grid=grid,
    )  # fmt: skip


def _told(folder: Path) -> dict[str, Any]:
    """What the files beside a tokenizer say of it."""
    from gradatim.checkpoint.tensors import read_json

    paths = [folder / name for name in ("special_tokens_map.json", "tokenizer_config.json")]
    return {name: value for path in paths if path.is_file() for name, value in read_json(path).items()}


def _readable(told: Mapping[str, Any], longest: int | None) -> int:
    """How many tokens are read at once by a model that can read so many."""
    return int(min(told.get("model_max_length") or LONGEST, longest or LONGEST))


def _mask(named: Any, tokenizer: Any) -> str | None:
    """The token that stands for a missing word: the one that is named, or else one of a known name."""
    names = [named.get("content") if isinstance(named, Mapping) else named, *MASKS]
    return next((name for name in names if name and tokenizer.token_to_id(name) is not None), None)


def open_writer(path: Path, threads: int | None = None) -> TextToText:
    """The model of a `.gradatim` file, or of a folder that `gradatim train` made, run by torch."""
    if not path.is_dir():
        from gradatim.pipelines.open import load_text_to_text

        return load_text_to_text(path, threads=threads)
    need_training("a model folder")
    import torch

    from gradatim.models.stepper import TorchStepper
    from gradatim.pipelines.text_to_text import TextToText
    from gradatim.text.pieces import PieceEncoder

    if threads is not None:
        torch.set_num_threads(threads)
    model, tokenizer, settings = read_writer(path)
    pieces = PieceEncoder(tokenizer, max_length=settings["max_length"])
    stepper = TorchStepper(model, start=settings["start"])
    more = {name: settings[name] for name in ("end", "longest", "prefix")}
    return TextToText(stepper, pieces, tokenizer, **more)


def read_writer(folder: Path) -> tuple[Any, str, dict[str, Any]]:
    """The model of a folder, its tokenizer, and the settings of the file that it becomes."""
    from gradatim.checkpoint.folder import read_model, tokenizer_json

    read = read_model(folder)
    config = read.config
    if config.kind != "seq2seq" or config.decoder is None:
        raise ConfigError(
            f"{folder} holds a model of kind '{config.kind}', none that writes a text from another"
        )
    if missing := {"start", "eos"} - config.special.keys():
        raise ConfigError(f"{folder}: config.json names no {' and '.join(sorted(missing))} in 'special'")
    settings = {
        "max_length": _readable(_told(folder), config.body.longest), "start": config.special["start"],
        "end": config.special["eos"], "longest": config.decoder.longest, "prefix": config.prefix,
    }  # fmt: skip
    return read.model, tokenizer_json(folder), settings


def open_language(path: Path) -> LanguagePipeline:
    """The language model of a file, or of a folder that `gradatim train` made, run by torch."""
    from gradatim.pipelines.language import LanguagePipeline
    from gradatim.pipelines.open import load_language

    if not path.is_dir():
        return load_language(path)
    need_training("a model folder")
    from gradatim.models.scorer import TorchLanguage
    from gradatim.pipelines.causal import CausalLanguage

    model, tokenizer, end = read_network(path)
    return LanguagePipeline(CausalLanguage(TorchLanguage(model), tokenizer, end=end))


def read_network(folder: Path) -> tuple[LanguageModel, str, int]:
    """The language model of a folder, its tokenizer, and the token that ends a text."""
    from gradatim.checkpoint.folder import read_model, tokenizer_json
    from gradatim.models.language import LanguageModel

    read = read_model(folder)
    if read.config.kind != "causal" or not isinstance(read.model, LanguageModel):
        raise ConfigError(
            f"{folder} holds a model of kind '{read.config.kind}', none that predicts the next token"
        )
    end = read.config.special.get("eos")
    if end is None:
        raise ConfigError(f"{folder}: config.json names no token that ends a text ('eos' in 'special')")
    return read.model, tokenizer_json(folder), end
