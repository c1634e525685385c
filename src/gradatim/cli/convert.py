"""`gradatim convert`: a model folder from the Hugging Face layout to ours, or back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gradatim.errors import CheckpointError, ConfigError

LAYOUTS = ("gradatim", "hf")


def command(
    model: Annotated[str, typer.Argument(help="A model folder, or a name of `gradatim data list`.")],
    out: Annotated[Path, typer.Argument(help="The folder to write.")],
    to: Annotated[
        str, typer.Option(help="Layout: 'gradatim', or 'hf' for what transformers opens.")
    ] = "gradatim",
    max_shard_mb: Annotated[
        float, typer.Option(min=0.001, help="Weights go into files of this size.")
    ] = 5000.0,
) -> None:
    """Convert a model folder, whole or not at all, and say how far the result is from the reference."""
    if to not in LAYOUTS:
        raise ConfigError(f"--to is 'gradatim' or 'hf', not '{to}'")
    from gradatim.checkpoint.difference import largest_difference
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
    save_model(
        checkpoint.model,
        out,
        family=family,
        config=config,
        tokenizer=source,
        max_shard_bytes=int(max_shard_mb * 1e6),
    )
    params = sum(parameter.numel() for parameter in checkpoint.model.parameters())
    print(f"{out}: {family or 'gradatim'}, {config.kind}, {params:,} weights")
    if checkpoint.left_out:
        print(f"left out, as this model has no place for them: {', '.join(checkpoint.left_out)}")
    # It is the file that is compared, not what is in memory.
    reference, ours = (out, checkpoint) if family else (source, read_model(out))
    difference = largest_difference(ours, reference)
    known = "not measured (transformers is not installed)" if difference is None else f"{difference:.1e}"
    print(f"largest difference from transformers: {known}")


def _folder(model: str) -> Path:
    if Path(model).is_dir():
        return Path(model)
    if Path(model).is_file():
        raise CheckpointError(
            f"{model} is a file; convert takes a model folder (config.json and model.safetensors)"
        )
    from gradatim.data.catalog import resolve_model

    return resolve_model(model)
