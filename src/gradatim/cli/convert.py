"""`gradatim convert`: a model folder from the Hugging Face layout to ours, or back."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gradatim.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    from gradatim.checkpoint.folder import Checkpoint

LAYOUTS, FILE = ("gradatim", "hf"), ".gradatim"
CALIBRATION = 64  # texts on which the steps of 8 bits are found


def command(
    model: Annotated[str, typer.Argument(help="A model folder, or a name of `gradatim data list`.")],
    out: Annotated[Path, typer.Argument(help="The folder to write, or a .gradatim file.")],
    to: Annotated[
        str, typer.Option(help="Layout: 'gradatim', or 'hf' for what transformers opens.")
    ] = "gradatim",
    int8: Annotated[
        str | None,
        typer.Option(help="Texts like those it will read: a .gradatim file in 8 bits, fitted to them."),
    ] = None,
    max_shard_mb: Annotated[
        float, typer.Option(min=0.001, help="Weights go into files of this size.")
    ] = 5000.0,
) -> None:
    """Convert a model folder, whole or not at all, and say how far the result is from the reference.

    An encoder-decoder becomes one file that runs without PyTorch where OUT ends in .gradatim.
    """
    if to not in LAYOUTS:
        raise ConfigError(f"--to is 'gradatim' or 'hf', not '{to}'")
    if out.suffix == FILE:
        _one_file(_folder(model), out, int8)
        return
    if int8 is not None:
        raise ConfigError(
            f"--int8 is for a file, OUT ending in {FILE}: a folder keeps its weights as they are"
        )
    from gradatim.checkpoint.folder import family_of, read_model, save_model
    from gradatim.checkpoint.tensors import read_json

    source = _folder(model)
    if out.resolve() == source.resolve():
        raise CheckpointError(f"{out} is the folder that is read; give another one to write")
    if to == "gradatim" and "gradatim" in read_json(source / "config.json"):
        raise CheckpointError(f"{source} has our layout already; --to hf writes the one of transformers")
    checkpoint = read_model(source)
    config = checkpoint.config
    family = family_of(config) if to == "hf" else None
    shard = int(max_shard_mb * 1e6)
    save_model(checkpoint.model, out, family=family, config=config, tokenizer=source, max_shard_bytes=shard)
    params = sum(parameter.numel() for parameter in checkpoint.model.parameters())
    print(f"{out}: {family or 'gradatim'}, {config.kind}, {params:,} weights")
    if checkpoint.left_out:
        print(f"left out, as this model has no place for them: {', '.join(checkpoint.left_out)}")
    # It is the file that is compared, not what is in memory.
    _compare(*((checkpoint, out) if family else (read_model(out), source)))


def _compare(ours: Checkpoint, reference: Path) -> None:
    """Say how far our model is from what transformers reads in a folder."""
    from gradatim.checkpoint.difference import largest_difference

    difference = largest_difference(ours, reference)
    known = "not measured (transformers is not installed)" if difference is None else f"{difference:.1e}"
    print(f"largest difference from transformers: {known}")


def _one_file(source: Path, out: Path, int8: str | None) -> None:
    from gradatim import __version__
    from gradatim.cli.target import check_target
    from gradatim.export.text_to_text import write_text_to_text
    from gradatim.tasks.open import read_writer

    check_target(out)
    model, tokenizer, settings = read_writer(source)
    texts = None
    if int8 is not None:
        from gradatim.data.plain import plain_texts

        texts = [line.strip() for _, line in islice(plain_texts(int8), CALIBRATION)]
    write_text_to_text(
        out, model, tokenizer, settings=settings, provenance={"gradatim": __version__}, int8_on=texts
    )
    params = sum(parameter.numel() for parameter in model.parameters())
    print(f"{out}: {params:,} weights, {out.stat().st_size / 1e6:.1f} MB{', int8' * bool(texts)}")


def _folder(model: str) -> Path:
    if Path(model).is_dir():
        return Path(model)
    if Path(model).is_file():
        raise CheckpointError(
            f"{model} is a file; convert takes a model folder (config.json and model.safetensors)"
        )
    from gradatim.data.catalog import resolve_model

    return resolve_model(model)
