"""From [data] to annotated examples and to their tokens, for the kinds that are more than labelled texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from torch import nn

from gradatim.data.divided import Form, apart, files_of
from gradatim.errors import ConfigError, DataError
from gradatim.models.session import TorchSession
from gradatim.text.pieces import PieceEncoder
from gradatim.train.build import Materials
from gradatim.train.documents import CHUNK
from gradatim.train.recipe import Recipe
from gradatim.types import Arrays, Encoded

T = TypeVar("T")


def annotated(materials: Materials, form: Form[T]) -> tuple[list[T], list[T], str]:
    """What to train on, what to evaluate on, and a note on both.

    Evaluated is on `dev`, else on the dev splits of `source`, else on a share of train held out, in which what
    belongs together stays so.
    """
    data = materials.data
    sources = [files_of(source, form) for source in materials.sources()]
    if missing := [i for i, files in enumerate(sources) if "train" not in files]:
        raise DataError(f"[data] source: {materials.sources()[missing[0]]!r} has nothing to train on")
    train = [row for files in sources for path in files["train"] for row in form.read(path)]
    if data.dev:
        paths, where = _named(data.dev, form, "dev"), data.dev
    else:
        paths, where = [path for files in sources for path in files.get("dev", [])], "the dev split"
    dev = [row for path in paths for row in form.read(path)]
    if not dev:
        (train, dev), how = apart(train, form, [data.share()], materials.recipe.seed)
        if not dev:
            raise DataError(
                f"[data] {len(train)} {form.what} are too few to hold out some, {how} together: add more, or give dev"
            )
        where = f"those held out, {how} together,"
    return train, dev, f"{len(train):,} {form.what} to train on, {len(dev):,} of {where} to evaluate on"


def split(materials: Materials, form: Form[T], name: Literal["test"]) -> list[T]:
    """A further split, of [data] or else of the sources; empty where there is none."""
    if materials.data.test:
        paths = _named(materials.data.test, form, name)
    else:
        paths = [path for source in materials.sources() for path in files_of(source, form).get(name, [])]
    return [row for path in paths for row in form.read(path)]


def _named(source: str, form: Form[T], split: Literal["dev", "test"]) -> list[Path]:
    """The files of a source that was named for a split: those of this split, or all there are."""
    files = files_of(source, form)
    if split not in files and len(files) > 1:
        other = next(name for name in files if name != "train")
        raise DataError(
            f"[data] {split}: {source!r} has no {split} split; name the one you mean, as {source}/{other}"
        )
    return files.get(split) or [path for paths in files.values() for path in paths]


def encoded(
    pieces: PieceEncoder, texts: Sequence[str], pairs: Sequence[str] | None = None, *, places: bool = False
) -> Encoded:
    """Texts or pairs with the spans of their tokens, and perhaps their places, tokenised some at a time."""
    parts = []
    for start in range(0, len(texts), CHUNK):
        some = slice(start, start + CHUNK)
        beside = None if pairs is None else pairs[some]
        parts.append(pieces.encode(texts[some], beside, spans=True, places=places))
    arrays = {name: np.concatenate([part.arrays[name] for part in parts]) for name in parts[0].arrays}
    owners = np.concatenate([part.owners + i * CHUNK for i, part in enumerate(parts)])
    return Encoded(arrays, owners, len(texts))


def logits(model: nn.Module, recipe: Recipe, arrays: Arrays) -> Any:
    """What the model says as it stands, float32: per row, or per token of a tagger."""
    device = next(model.parameters()).device.type
    return TorchSession(model, bf16=recipe.bf16(device)).run(arrays)["logits"]


def one_source(materials: Materials, kind: str) -> str:
    """The source of a kind that takes one."""
    if not isinstance(materials.data.source, str):
        raise ConfigError(f"[data] source must be one data set for {kind}, not a list")
    return materials.data.source
