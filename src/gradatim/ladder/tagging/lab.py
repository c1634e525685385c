"""What the neural rungs for tags on one encoder share: tokens and their words, taggers, folders, export."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import cast

from gradatim.checkpoint.config import ModelConfig
from gradatim.checkpoint.folder import read_model, save_model
from gradatim.engine.artifact import write_artifact
from gradatim.export.reader import to_onnx
from gradatim.ladder.encoder import EncoderLab
from gradatim.ladder.tagging.words import decision, spans_of, tag_ids
from gradatim.models.backbone import Backbone
from gradatim.models.classifier import Tagger, num_parameters
from gradatim.models.inputs import PackedTexts
from gradatim.objectives.tagging import Tagging
from gradatim.pipelines.tagging import word_of_tokens
from gradatim.train.kinds.reading import encoded
from gradatim.types import Candidate


class TaggingLab(EncoderLab):
    """With sentences and the tags of their words."""

    @cached_property
    def learned(self) -> Tagging:
        """The training sentences, each word's tag at its first piece."""
        train = self.corpus.train
        tokens = encoded(self.pieces, train.texts)
        words = word_of_tokens(tokens, spans_of(train))
        return Tagging(PackedTexts(tokens), words, tag_ids(self.corpus.task, train))

    @property
    def texts(self) -> PackedTexts:
        return self.learned.texts

    def tagger(self, body: Backbone) -> Tagger:
        """A fresh head on a body."""
        return Tagger(body, body.config.output_width, len(self.corpus.task.labels))

    def keep(self, model: Tagger, name: str) -> None:
        """Leave a tagger on a Transformer where its students find it, in a resumed climb too."""
        labels = self.corpus.task.labels
        config = ModelConfig(
            kind="tagging", body=cast(Backbone, model.body).config, num_outputs=len(labels), labels=labels
        )
        save_model(model, self.problem.shared / name, config=config)

    def kept(self, name: str) -> Tagger | None:
        """The tagger of that name, or None."""
        folder = self.problem.shared / name
        return cast(Tagger, read_model(folder).model) if (folder / "config.json").is_file() else None

    def export(
        self, model: Tagger, name: str, rung: str, made_s: float, *, source: str | None = None,
        notes: Sequence[str] = (),
    ) -> Candidate:  # fmt: skip
        """Write `name.gradatim` into the rung's folder."""
        path = self.problem.folder / f"{name}.gradatim"
        write_artifact(
            path,
            kind="onnx",
            task=self.corpus.task,
            encoder=self.pieces.settings(),
            members={"model.onnx": to_onnx(model), "tokenizer.json": self.tokenizer.encode()},
            decision=decision(self.corpus.task),
        )
        return Candidate(name, rung, str(path), made_s, num_parameters(model), source, tuple(notes))
