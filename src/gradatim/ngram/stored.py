"""An n-gram model as a `.gradatim` file, and back: arrays stored as they are, so that they can be mapped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gradatim.engine.artifact import Artifact, Buffer, write_artifact
from gradatim.engine.manifest import JSON
from gradatim.errors import ArtifactError, ConfigError
from gradatim.ngram.model import KINDS, NgramModel, Packed, Steps
from gradatim.text.lookup import Lookup
from gradatim.text.vocabulary import Vocabulary
from gradatim.types import Array, Task

KIND = "ngram-lm"
WORDS, UNIGRAMS = "vocabulary.txt", "1.unigrams"


def write_model(path: Path, model: NgramModel, *, provenance: Mapping[str, JSON], card: str = "") -> None:
    """Write one model as one file; raises ArtifactError where it cannot be."""
    members: dict[str, Buffer] = {
        WORDS: b"\n".join(model.vocabulary.words),
        UNIGRAMS: _view(model.unigrams.astype("<f4").ravel()),
    }
    for n, level in enumerate(model.levels, start=2):
        for name, array in level.arrays().items():
            members[f"{n}.{name}"] = _view(array.astype(KINDS[name], copy=False))
    steps = [[[step.low, step.high] for step in level.steps] for level in model.levels]
    encoder: dict[str, JSON] = {
        "kind": "spaced", "order": model.order, "steps": steps, "closed": [level.closed for level in model.levels]
    }  # fmt: skip
    write_artifact(
        path,
        kind=KIND,
        task=Task((), kind="causal"),
        encoder=encoder,
        members=members,
        provenance=provenance,
        card=card,
    )


def read_model(artifact: Artifact) -> NgramModel:
    """The model in a file that was read `mapped`; raises ArtifactError where its parts do not fit."""
    try:
        settings: Any = artifact.encoder
        vocabulary = Vocabulary(artifact.member(WORDS).split(b"\n"))
        unigrams = np.frombuffer(artifact.view(UNIGRAMS), dtype="<f4").reshape(2, len(vocabulary))
        levels = []
        for n in range(2, int(settings["order"]) + 1):
            keys, first, *codes = (
                np.frombuffer(artifact.view(f"{n}.{name}"), dtype=kind) for name, kind in KINDS.items()
            )
            log_probs, backoffs = (Steps(float(low), float(high)) for low, high in settings["steps"][n - 2])
            closed = bool(settings["closed"][n - 2])
            levels.append(Packed(Lookup(keys, first), (codes[0], codes[1]), (log_probs, backoffs), closed))
        _check(levels)
        return NgramModel(vocabulary, unigrams, levels)
    except (ConfigError, KeyError, TypeError, ValueError, IndexError) as error:
        raise ArtifactError(
            f"{artifact.path} holds no n-gram model that fits together ({error}); make it anew with `gradatim lm train`"
        ) from error


def _check(levels: list[Packed]) -> None:
    """The arrays of each order agree in length, and its buckets cover its keys."""
    for n, level in enumerate(levels, start=2):
        size, first = len(level.lookup), level.lookup.first
        buckets = len(first) - 1
        if {len(codes) for codes in level.codes} != {size} or buckets < 2 or buckets & (buckets - 1):
            raise ConfigError(f"the arrays of order {n} differ in length")
        if first[0] != 0 or first[-1] != size or (np.diff(first.astype(np.int64)) < 0).any():
            raise ConfigError(f"the buckets of order {n} do not cover its n-grams")


def _view(array: Array) -> memoryview:
    return memoryview(np.ascontiguousarray(array).data).cast("B") if len(array) else memoryview(b"")
