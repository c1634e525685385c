"""What writes texts from texts: a finished file, or the folder of a training run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradatim.errors import ConfigError

if TYPE_CHECKING:
    from gradatim.pipelines.text_to_text import TextToText

LONGEST = 512  # tokens of a source read at once by a model that sets no limit: longer ones are read in parts


def open_writer(path: Path, threads: int | None = None) -> TextToText:
    """The model of a `.gradatim` file, or of a folder that `gradatim train` made, run by torch."""
    if not path.is_dir():
        from gradatim.pipelines.open import load_text_to_text

        return load_text_to_text(path, threads=threads)
    from gradatim.cli.extra import need_training

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
