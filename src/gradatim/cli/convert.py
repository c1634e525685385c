"""`gradatim convert`: a model folder from the Hugging Face layout to ours, or back."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gradatim.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    from gradatim.checkpoint.folder import Checkpoint
    from gradatim.pipelines.reader import Reader
    from gradatim.types import Encoded

LAYOUTS, FILE = ("gradatim", "hf"), ".gradatim"
SHARD_MB = 5000.0
CALIBRATION = 64  # texts on which the steps of 8 bits are found


def command(
    model: Annotated[str, typer.Argument(help="A model folder, or a name of `gradatim data list`.")],
    out: Annotated[Path, typer.Argument(help="The folder to write, or a .gradatim file.")],
    to: Annotated[
        str, typer.Option(help="Layout of a folder: 'gradatim', or 'hf' for what transformers opens.")
    ] = "gradatim",
    int8: Annotated[
        str | None,
        typer.Option(
            help="Texts like those it will read, pairs with a tab between, questions with the file of their table: a "
            ".gradatim file in 8 bits, fitted to them."
        ),
    ] = None,
    max_shard_mb: Annotated[
        float | None,
        typer.Option(min=0.001, help="Weights of a folder go into files of this size (default: 5000)."),
    ] = None,
) -> None:
    """Convert a model folder, whole or not at all, and say how far the result is from the reference.

    Where OUT ends in .gradatim it becomes one file that runs without PyTorch.
    """
    if to not in LAYOUTS:
        raise ConfigError(f"--to is 'gradatim' or 'hf', not '{to}'")
    if out.suffix == FILE:
        if to == "hf" or max_shard_mb is not None:
            raise ConfigError(f"--to hf and --max-shard-mb are of a folder; {out} is one file of our own")
        _one_file(_folder(model), out, int8)
        return
    if int8 is not None:
        raise ConfigError(f"--int8 is for a file, OUT ending in {FILE}: a folder keeps its weights")
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
    shard = int((max_shard_mb or SHARD_MB) * 1e6)
    save_model(checkpoint.model, out, family=family, config=config, tokenizer=source, max_shard_bytes=shard)
    params = sum(parameter.numel() for parameter in checkpoint.model.parameters())
    print(f"{out}: {family or 'gradatim'}, {config.kind}, {params:,} weights")
    _tell_rest(checkpoint)
    # It is the file that is compared, not what is in memory.
    _compare(*((checkpoint, out) if family else (read_model(out), source)))


def _tell_rest(read: Checkpoint) -> None:
    """Say what was in the folder and is not in the model."""
    if read.left_out:
        print(f"left out, as this model has no place for them: {', '.join(read.left_out)}")
    if read.unread:
        print(f"not looked at, as such a model has no such keys in config.json: {', '.join(read.unread)}")


def _compare(ours: Checkpoint, reference: Path) -> None:
    """Say how far our model is from what transformers reads in a folder."""
    from gradatim.checkpoint.difference import largest_difference

    difference = largest_difference(ours, reference)
    known = "not measured (transformers is not installed)" if difference is None else f"{difference:.1e}"
    print(f"largest difference from transformers: {known}")


def _one_file(source: Path, out: Path, int8: str | None) -> None:
    from gradatim import __version__
    from gradatim.checkpoint.folder import kind_of
    from gradatim.cli.target import check_target

    check_target(out)
    texts = None
    if int8 is not None:
        from gradatim.data.plain import plain_texts

        texts = [line.strip() for _, line in islice(plain_texts(int8), CALIBRATION)]
    kind, provenance = kind_of(source), {"gradatim": __version__}
    if kind == "causal":
        raise ConfigError(f"{source} holds a language model: `gradatim lm convert` makes one file of it")
    write = _write_writer if kind == "seq2seq" else _write_reader
    params = write(source, out, texts, provenance)
    print(f"{out}: {params:,} weights, {out.stat().st_size / 1e6:.1f} MB{', int8' * bool(texts)}")


def _write_writer(source: Path, out: Path, texts: list[str] | None, provenance: dict[str, str]) -> int:
    from gradatim.export.text_to_text import write_text_to_text
    from gradatim.models.classifier import num_parameters
    from gradatim.tasks.folders import read_writer

    model, tokenizer, settings = read_writer(source)
    write_text_to_text(out, model, tokenizer, settings=settings, provenance=provenance, int8_on=texts)
    return num_parameters(model)


def _write_reader(source: Path, out: Path, texts: list[str] | None, provenance: dict[str, str]) -> int:
    from gradatim.export.reader import write_reader
    from gradatim.models.classifier import num_parameters
    from gradatim.tasks.folders import open_reader

    reader = open_reader(source)
    session: Any = reader.session
    calibration = None if texts is None else _calibration(reader, texts)
    write_reader(
        out, session.model, reader.tokenizer or "", task=reader.task, settings=reader.settings, provenance=provenance,
        int8_on=calibration,
    )  # fmt: skip
    return num_parameters(session.model)


def _calibration(reader: Reader, texts: list[str]) -> Encoded:
    """Texts, or what is divided by a tab, as the model reads them."""
    split = [text.split("\t", 1) for text in texts]
    pairs = [parts[1] for parts in split if len(parts) == 2]
    if len(pairs) < len(texts) and (pairs or reader.grids):
        wanted = "questions with the file of their table" if reader.grids else "pairs, or none"
        raise ConfigError(f"{len(pairs)} of {len(texts)} texts for --int8 have a tab: all must be {wanted}")
    firsts = [parts[0] for parts in split]
    if reader.grids is None:
        return reader.pieces.encode(firsts, pairs or None)
    from gradatim.data.grids import read_grid

    return reader.grids.encode(firsts, [read_grid(Path(path)) for path in pairs])


def _folder(model: str) -> Path:
    if Path(model).is_dir():
        return Path(model)
    if Path(model).is_file():
        raise CheckpointError(
            f"{model} is a file; convert takes a model folder (config.json and model.safetensors)"
        )
    from gradatim.data.catalog import resolve_model

    return resolve_model(model)
