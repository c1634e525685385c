"""The kinds of [objective] in a recipe file: the settings of each, and how it builds what is trained."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from torch import nn

from gradatim.checkpoint.config import ModelConfig
from gradatim.data import load_corpus
from gradatim.errors import ConfigError
from gradatim.models.inputs import PackedTexts
from gradatim.models.presets import decoder
from gradatim.models.session import TorchSession
from gradatim.objectives.causal import CausalLanguage
from gradatim.objectives.classification import Classification
from gradatim.objectives.corruption import SpanCorruption
from gradatim.objectives.masked import MaskedLanguage, Masking
from gradatim.objectives.next_sentence import NextSentence
from gradatim.pipelines.classification import pool_windows, sigmoid, softmax
from gradatim.pipelines.metrics import default_metric, higher_is_better, score
from gradatim.text.pieces import PieceEncoder
from gradatim.train.build import Materials, Prepared

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "<s>", "</s>", "<pad>", "<unk>", "<mask>")
SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]”’]*\s+|\n\s*\n")


@runtime_checkable
class ObjectiveSettings(Protocol):
    """[objective] of one kind."""

    def prepare(self, materials: Materials) -> Prepared: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassificationSettings:
    """kind = "classification": labelled texts or pairs, judged by `metric` on dev."""

    smoothing: float = 0.0
    metric: str | None = None

    def prepare(self, materials: Materials) -> Prepared:
        data, recipe = materials.data, materials.recipe
        if not isinstance(data.source, str):
            raise ConfigError("[data] source must be one data set for classification, not a list")
        columns = {"text": data.text, "text_pair": data.text_pair, "label": data.label}
        corpus = load_corpus(data.source, **columns, dev=data.dev, test=data.test, seed=recipe.seed)
        pieces = PieceEncoder(materials.tokenizer_json, max_length=data.max_length)
        train, dev = (pieces.encode(part.texts, part.pairs) for part in (corpus.train, corpus.dev))
        task, metric = corpus.task, self.metric or default_metric(corpus.task)
        config = ModelConfig(
            kind="classification",
            body=materials.body,
            num_outputs=len(task.labels),
            labels=task.labels,
            pooling=(materials.settings.pooling,),
        )
        model = materials.build(config)

        def evaluate() -> float:
            rows = TorchSession(model, bf16=recipe.bf16(_device(model))).run(dev.arrays)["logits"]  # type: ignore[arg-type]
            logits = pool_windows(rows, dev.arrays["lengths"], dev.owners, dev.num_texts)
            probabilities = sigmoid(logits) if task.multi_label else softmax(logits)
            value = score(metric, task, corpus.dev.targets, probabilities)
            return value if higher_is_better(metric) else -value

        objective = Classification(PackedTexts(train), corpus.train.targets, smoothing=self.smoothing)
        notes = (*corpus.notes, f"score is {metric} on dev")
        return Prepared(model, config, objective, evaluate, materials.tokenizer_json, notes)


@dataclass(frozen=True, slots=True, kw_only=True)
class CausalSettings:
    """kind = "causal": the next token of plain text; `carried` joins documents, so that all rows are full."""

    carried: bool = True

    def prepare(self, materials: Materials) -> Prepared:
        if not materials.body.block.causal:
            raise ConfigError(
                '[objective] kind "causal" needs a model that reads one way: preset gpt or gpt2'
            )
        end = materials.token("<|endoftext|>", "</s>", "<eos>", "[SEP]")

        def objective(texts: list[str]) -> CausalLanguage:
            length = materials.data.max_length
            return CausalLanguage(materials.plain(texts), length, end_id=end, carried=self.carried)

        return materials.language(ModelConfig(kind="causal", body=materials.body), objective)


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedSettings:
    """kind = "masked": hidden words of plain text; `share` of them, or of whole words."""

    share: float = 0.15
    whole_words: bool = False

    def masking(self, materials: Materials) -> Masking:
        mask = materials.token("[MASK]", "<mask>")
        if mask is None or materials.body.block.causal:
            raise ConfigError(
                "[objective] masked words need a model that reads both ways, as preset bert, and a mask token"
            )
        vocab_size = materials.body.embedding.vocab_size
        continues = np.zeros(vocab_size, dtype=bool)
        for piece, index in materials.tokenizer.get_vocab().items():
            continues[index] = piece.startswith("##")
        if self.whole_words and not continues.any():
            raise ConfigError("[objective] whole_words needs a tokenizer whose pieces go on with ##")
        return Masking(
            mask_id=mask,
            vocab_size=vocab_size,
            specials=tuple(i for name in SPECIAL if (i := materials.token(name)) is not None),
            share=self.share,
            continues=continues if self.whole_words else None,
        )

    def prepare(self, materials: Materials) -> Prepared:
        masking = self.masking(materials)
        config = ModelConfig(kind="masked", body=materials.body, norm_eps=materials.body.block.norm_eps)
        return materials.language(config, lambda texts: MaskedLanguage(materials.rows(texts), masking))


@dataclass(frozen=True, slots=True, kw_only=True)
class NextSentenceSettings(MaskedSettings):
    """kind = "next_sentence": BERT's pretraining, masked words and whether one passage follows another."""

    def prepare(self, materials: Materials) -> Prepared:
        masking = self.masking(materials)
        first, between = materials.token("[CLS]", "<s>"), materials.token("[SEP]", "</s>")
        if first is None or between is None or materials.body.embedding.num_segments < 2:
            raise ConfigError('[objective] kind "next_sentence" needs preset bert and its special tokens')

        def objective(texts: list[str]) -> NextSentence:
            split = [[part for part in SENTENCE_END.split(text) if part.strip()] for text in texts]
            return NextSentence(
                materials.plain([part for parts in split for part in parts]),
                np.repeat(np.arange(len(texts)), [len(parts) for parts in split]),
                masking,
                length=materials.data.max_length,
                first_id=first,
                between_id=between,
            )

        config = ModelConfig(kind="pretraining", body=materials.body, norm_eps=materials.body.block.norm_eps)
        return materials.language(config, objective, fewest=2)  # B may come from another document


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanCorruptionSettings:
    """kind = "span_corruption": T5's pretraining, spans of plain text replaced by sentinels and written out."""

    share: float = 0.15
    mean_span: float = 3.0

    def prepare(self, materials: Materials) -> Prepared:
        sentinels = [materials.token(f"<extra_id_{i}>") for i in range(100)]
        known = [i for i in sentinels if i is not None]
        start, end = materials.token("<pad>"), materials.token("</s>")
        if not known or start is None or end is None:
            raise ConfigError(
                '[objective] kind "span_corruption" needs a tokenizer with <pad>, </s> and <extra_id_0>, ...'
            )
        body = materials.body
        scale = body.width**-0.5 if body.buckets else 1.0  # T5 scales what tied word vectors score
        config = ModelConfig(
            kind="seq2seq", body=body, decoder=decoder(body), scale=scale,
            special={"pad": start, "start": start, "eos": end},
        )  # fmt: skip

        def objective(texts: list[str]) -> SpanCorruption:
            return SpanCorruption(
                materials.plain(texts), materials.data.max_length, sentinel_id=known[0],
                num_sentinels=len(known), end_id=end, start_id=start, share=self.share, mean_span=self.mean_span,
            )  # fmt: skip

        return materials.language(config, objective)


KINDS: Mapping[str, type[ObjectiveSettings]] = {
    "classification": ClassificationSettings,
    "causal": CausalSettings,
    "masked": MaskedSettings,
    "next_sentence": NextSentenceSettings,
    "span_corruption": SpanCorruptionSettings,
}


def _device(model: nn.Module) -> str:
    return next(model.parameters()).device.type
