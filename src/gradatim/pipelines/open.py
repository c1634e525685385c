"""Opens a file: the encoder and the session its manifest asks for, joined for use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradatim.engine.artifact import Artifact, read_artifact
from gradatim.errors import ArtifactError, ConfigError, did_you_mean
from gradatim.pipelines.classification import TextClassifier
from gradatim.pipelines.language import LanguagePipeline
from gradatim.pipelines.tagger import SequenceTagger
from gradatim.pipelines.text_to_text import TextToText
from gradatim.types import Encoder, Session, Stepper

if TYPE_CHECKING:
    from gradatim.text.grids import GridConfig, GridEncoder

_KINDS = (
    ("pieces", "capitals", "letters", "features", "words", "contexts", "overlap", "none"),
    ("onnx", "linear", "ngram", "constant", "contexts", "overlap"),
)


def load_classifier(
    path: str | os.PathLike[str], *, threads: int | None = None, precision: str | None = None
) -> TextClassifier:
    """Load a `.gradatim` model that gives labels.

    `threads` limits the cores a neural model uses (default: all that this process may use). A model in int8 runs in the
    `precision` named, "int8" or "fp32", or else in whichever this processor is faster with; answers differ by what
    rounding makes of them. Raises `ArtifactError` if the file is missing, damaged, or made by another version.
    """
    return open_artifact(read_artifact(Path(path)), threads=threads, precision=precision)


def open_artifact(
    artifact: Artifact, *, threads: int | None = None, precision: str | None = None
) -> TextClassifier:
    """The classifier inside an artifact that was read before."""
    if artifact.task.kind != "classification":
        raise ArtifactError(
            f"{artifact.path} holds a model of kind '{artifact.task.kind}', which gives no labels: `gradatim run` and "
            "`gradatim.pipeline` know its task"
        )
    encoder, session = open_parts(artifact, threads=threads, precision=precision)
    with _whole(artifact):
        either = bool(artifact.encoder.get("either"))
        return TextClassifier(encoder, session, artifact.task, artifact.decision, either=either)


def open_tagger(
    artifact: Artifact, *, threads: int | None = None, precision: str | None = None
) -> SequenceTagger:
    """The tagger inside an artifact that was read before."""
    encoder, session = open_parts(artifact, threads=threads, precision=precision)
    with _whole(artifact):
        return SequenceTagger(encoder, session, artifact.task, artifact.decision)


def open_parts(
    artifact: Artifact, *, threads: int | None = None, precision: str | None = None
) -> tuple[Encoder, Session]:
    """What makes rows of texts, and what reads them."""
    if threads is not None and threads < 1:
        raise ConfigError(f"threads must be at least 1, not {threads}")
    if precision not in (None, "int8", "fp32"):
        raise ConfigError(f"precision is int8 or fp32, not '{precision}'")
    with _whole(artifact):
        return _encoder(artifact), _session(artifact, threads, precision)


def open_grids(artifact: Artifact) -> tuple[GridEncoder, GridConfig]:
    """What makes rows of questions and their tables for a model that reads these, and how it answers."""
    from gradatim.text.grids import GridConfig, GridEncoder

    settings: Any = artifact.encoder
    with _whole(artifact, "convert"):
        grid = GridConfig(**settings["grid"])
        pieces: Any = _encoder(artifact)
        return GridEncoder(pieces, settings["marks"], grid), grid


def how_answered(artifact: Artifact) -> dict[str, float]:
    """What a file says of how logits become spans: how long these are at most, and how likely."""
    with _whole(artifact):
        kinds = {"longest": int, "threshold": float}
        stated: Any = artifact.decision
        return {name: kind(stated[name]) for name, kind in kinds.items() if name in stated}


@contextmanager
def _whole(artifact: Artifact, maker: str = "fit") -> Iterator[None]:
    """Turn what a manifest lacks into an error for the user."""
    try:
        yield
    except (ConfigError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"{artifact.path} does not make a model ({type(error).__name__}: {error}); "
            f"make it anew with `gradatim {maker}`"
        ) from error


def load_language(path: str | os.PathLike[str], *, threads: int | None = None) -> LanguagePipeline:
    """Load a language model, ready to score texts and to write new ones: a `.gradatim` or an ARPA file.

    Raises `ArtifactError` if it is missing, damaged or no language model, `DataError` for a faulty ARPA file.
    """
    path = Path(path)
    if path.is_dir():
        raise ArtifactError(
            f"{path} is a folder: make it one file with `gradatim lm convert {path} model.gradatim`"
        )
    if path.name.removesuffix(".gz").endswith(".arpa"):
        from gradatim.ngram.arpa import read_arpa
        from gradatim.ngram.model import NgramModel

        return LanguagePipeline(NgramModel.of(*read_arpa(path)))
    return open_language(read_artifact(path, mapped=True), threads=threads)


def open_language(artifact: Artifact, *, threads: int | None = None) -> LanguagePipeline:
    """The language model inside an artifact that was read before, mapped."""
    path = artifact.path
    match artifact.kind:
        case "ngram-lm":
            from gradatim.ngram.stored import read_model

            return LanguagePipeline(read_model(artifact))
        case "causal-onnx":
            from gradatim.engine.language import OnnxLanguage
            from gradatim.pipelines.causal import CausalLanguage

            settings: Any = artifact.encoder
            session = OnnxLanguage(
                artifact.member("model.onnx"), longest=settings.get("longest"), threads=threads
            )
            tokenizer = artifact.member("tokenizer.json").decode("utf-8")
            with _whole(artifact, "lm convert"):
                return LanguagePipeline(CausalLanguage(session, tokenizer, end=int(settings["end"])))
    raise ArtifactError(
        f"{path} holds a model of kind '{artifact.kind}', no language model: use `gradatim predict`"
    )


def load_text_to_text(path: str | os.PathLike[str], *, threads: int | None = None) -> TextToText:
    """Load a model that writes texts from texts, translations or summaries.

    Raises `ArtifactError` if the file is missing, damaged, or holds another kind of model.
    """
    if Path(path).is_dir():
        raise ArtifactError(
            f"{path} is a folder: make it one file with `gradatim convert {path} model.gradatim`"
        )
    return open_text_to_text(read_artifact(Path(path)), threads=threads)


def open_text_to_text(artifact: Artifact, *, threads: int | None = None) -> TextToText:
    """The writer inside an artifact that was read before."""
    path = artifact.path
    if not artifact.task.writes:
        raise ArtifactError(
            f"{path} holds a model of kind '{artifact.kind}', none that writes texts from texts"
        )
    from gradatim.text.pieces import PieceEncoder

    settings: Any = artifact.encoder
    tokenizer = artifact.member("tokenizer.json").decode("utf-8")
    with _whole(artifact, "convert"):
        pieces = PieceEncoder(tokenizer, max_length=int(settings["max_length"]))
        stepper = _stepper(artifact, pieces.tokenizer.get_vocab_size(), threads)
        more = {**{name: settings[name] for name in ("end", "longest", "prefix")}, **artifact.decision}
        return TextToText(stepper, pieces, tokenizer, **more)


def _stepper(artifact: Artifact, vocab_size: int, threads: int | None) -> Stepper:
    """What writes a token at a time: the decoder graph says whether recurrent states are carried, or keys stay."""
    settings: Any = artifact.encoder
    if artifact.kind == "lead":
        from gradatim.engine.lead import LeadStepper

        return LeadStepper(vocab_size, end=settings["end"], count=settings["count"])
    from gradatim.engine.pair import SHARED, GraphPair
    from gradatim.engine.recurrent_stepper import RecurrentStepper
    from gradatim.engine.stepper import OnnxStepper

    shared = {name: artifact.member(name) for name in artifact.members if name.endswith(SHARED)}
    graphs = artifact.member("encoder.onnx"), artifact.member("decoder.onnx")
    pair = GraphPair(*graphs, threads=threads, shared=shared)
    return (RecurrentStepper if pair.carried else OnnxStepper)(pair, start=int(settings["start"]))


# Each kind imports only what it runs: a linear model starts without ONNX Runtime.
def _encoder(artifact: Artifact) -> Encoder:
    settings = artifact.encoder
    match settings["kind"]:
        case "pieces":
            from gradatim.text.pieces import PieceEncoder

            return PieceEncoder.from_settings(settings, artifact.member("tokenizer.json").decode("utf-8"))
        case "capitals":
            from gradatim.text.capitals import CapitalEncoder

            return CapitalEncoder.from_settings(settings, artifact.member("tokenizer.json").decode("utf-8"))
        case "letters":
            from gradatim.text.characters import CharacterEncoder

            return CharacterEncoder.from_settings(settings, artifact.member("tokenizer.json").decode("utf-8"))
        case "features":
            from gradatim.text.features import FeatureEncoder

            return FeatureEncoder.from_settings(settings)
        case "words":
            from gradatim.text.words import WordEncoder

            return WordEncoder.from_settings(settings)
        case "contexts":
            from gradatim.text.contexts import ContextEncoder

            return ContextEncoder.from_settings(settings)
        case "overlap":
            from gradatim.text.overlap import OverlapEncoder

            return OverlapEncoder.from_settings(settings)
        case "none":
            from gradatim.text.none import NoEncoder

            return NoEncoder()
        case kind:
            raise ConfigError(f"unknown encoder kind '{kind}'{did_you_mean(str(kind), _KINDS[0])}")


def _session(artifact: Artifact, threads: int | None, precision: Any) -> Session:
    match artifact.kind:
        case "onnx":
            from gradatim.engine.onnx import OnnxSession

            return OnnxSession(artifact.member("model.onnx"), threads, precision=precision)
        case "linear":
            from gradatim.engine.linear import LinearSession

            return LinearSession.from_npz(artifact.member("model.npz"))
        case "ngram":
            from gradatim.engine.ngram import NgramSession

            return NgramSession.from_npz(artifact.member("model.npz"))
        case "constant":
            from gradatim.engine.constant import ConstantSession

            return ConstantSession.from_npz(artifact.member("model.npz"))
        case "contexts":
            from gradatim.engine.contexts import ContextSession

            return ContextSession.from_npz(artifact.member("model.npz"))
        case "overlap":
            from gradatim.engine.overlap import OverlapSession

            return OverlapSession.from_npz(artifact.member("model.npz"))
        case kind:
            raise ConfigError(f"unknown model kind '{kind}'{did_you_mean(kind, _KINDS[1])}")
