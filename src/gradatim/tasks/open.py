"""Opens models of any kind: a finished file by the runtime alone, a model folder with torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradatim.errors import ConfigError, need_training

if TYPE_CHECKING:
    from gradatim.models.language import LanguageModel
    from gradatim.pipelines.language import LanguagePipeline
    from gradatim.pipelines.text_to_text import TextToText

LONGEST = 512  # tokens of a text read at once by a model that sets no limit: longer ones are read in parts


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
        "max_length": config.body.longest or LONGEST, "start": config.special["start"], "end": config.special["eos"],
        "longest": config.decoder.longest, "prefix": config.prefix,
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
