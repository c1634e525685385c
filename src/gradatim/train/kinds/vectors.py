"""kind = "vector_to_text": sentence vectors decoded back into their sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from gradatim.checkpoint.config import ModelConfig
from gradatim.checkpoint.folder import load_backbone, tokenizer_json
from gradatim.data import resolve_model
from gradatim.decode.search import Search
from gradatim.decode.write import write
from gradatim.errors import ConfigError
from gradatim.models.classifier import Classifier
from gradatim.models.language import VectorDecoder
from gradatim.models.recurrent import RecurrentConfig
from gradatim.models.session import TorchSession
from gradatim.models.stepper import TorchStepper
from gradatim.objectives.from_vectors import TextFromVector
from gradatim.pipelines.classification import pool_windows
from gradatim.pipelines.overlap import overlap
from gradatim.text.pieces import PieceEncoder
from gradatim.train.build import Materials, Prepared
from gradatim.types import Array, Arrays
from gradatim.wording import count

SHOWN = 8  # examples at the end of a run
JUDGED = 1000  # sentences decoded in an evaluation, at most


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorToTextSettings:
    """kind = "vector_to_text": a recurrent model learns to write the sentence that a vector was made from.

    encoder  what makes the vectors: the mean of its last states, of length 1
    """

    encoder: str = "minilm-l6"
    tied: bool = True

    def prepare(self, materials: Materials) -> Prepared:
        end = materials.token("</s>", "<|endoftext|>", "[SEP]")
        if not isinstance(materials.body, RecurrentConfig) or materials.body.bidirectional or end is None:
            raise ConfigError(
                '[objective] kind "vector_to_text" needs a recurrent model that reads one way, as preset lstm, and '
                "a tokenizer with an end token"
            )
        train, dev = ([text.strip() for text in texts] for texts in materials.documents(2))
        if not dev:
            raise ConfigError("[data] dev_share 0 leaves nothing to evaluate on: raise it, or give dev")
        bf16 = materials.recipe.bf16()
        vectors, held = (sentence_vectors(self.encoder, texts, bf16=bf16) for texts in (train, dev))
        config = ModelConfig(
            kind="vector_to_text", body=materials.body, tied=self.tied, bias=True,
            vector_width=vectors.shape[1], special={"eos": end},
        )  # fmt: skip
        model = cast(VectorDecoder, materials.build(config))
        objective = TextFromVector(materials.plain(train), vectors, end_id=end)
        materials.begin_at(model, objective.texts.ids)
        longest = int(objective.sizes.max())
        wanted = [materials.tokenizer.decode(ids) for ids in _ids(materials, dev[:JUDGED])]

        def written(count: int) -> list[str]:
            rows = decode(model, held[:count], end=end, longest=longest)
            return [materials.tokenizer.decode(row) for row in rows]

        def metrics() -> Mapping[str, float]:
            return scores(written(JUDGED), wanted)

        def examples() -> Sequence[str]:
            return [
                f"{text}\n  -> {said}" for text, said in zip(wanted[:SHOWN], written(SHOWN), strict=False)
            ]

        notes = (
            f"{count(len(train), 'sentence')} and their vectors by {self.encoder}, {len(dev):,} held out",
        )
        made = Prepared(model, config, objective, None, materials.tokenizer_json, notes, examples=examples)
        return made.judged(metrics, "bleu")


def sentence_vectors(encoder: str, texts: Sequence[str], *, bf16: bool) -> Array:
    """(texts, width) means of the encoder's last states, of length 1 (Reimers & Gurevych 2019)."""
    folder = resolve_model(encoder)
    body = load_backbone(folder)
    encoded = PieceEncoder(tokenizer_json(folder), max_length=256).encode(texts)
    session = TorchSession(Classifier(body, body.config.width, 1, pooling=("mean",)), bf16=bf16)
    rows = session.run(encoded.arrays)["features"]
    pooled = pool_windows(rows, encoded.arrays["lengths"], encoded.owners, encoded.num_texts)
    found: Array = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
    return found


def decode(model: VectorDecoder, vectors: Array, *, end: int, longest: int) -> list[list[int]]:
    """The likeliest word after each, from these vectors on, until `end` or `longest` words."""
    training = model.training
    batch: Arrays = {"vectors": np.asarray(vectors, dtype=np.float32), "lengths": np.ones(len(vectors))}
    written = write(TorchStepper(model, start=end), batch, Search(end=end, max_length=longest))
    model.train(training)
    return [text.ids.tolist() for [text] in written]


def scores(written: Sequence[str], wanted: Sequence[str]) -> dict[str, float]:
    """BLEU, and the share of sentences that came back word for word."""
    exact = np.mean([one == other for one, other in zip(written, wanted, strict=True)])
    return {"bleu": overlap(written, wanted, "bleu")["bleu"], "exact": float(exact)}


def _ids(materials: Materials, texts: Sequence[str]) -> list[list[int]]:
    packed = materials.plain(list(texts))
    return [list(map(int, row)) for row in np.split(packed.ids, np.cumsum(packed.sizes)[:-1])]
