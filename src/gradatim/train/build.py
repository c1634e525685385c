"""From the [model] and [data] of a recipe file to a model, its tokenizer, its texts, and what is ready to train."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from gradatim.checkpoint.config import BodyConfig, ModelConfig
from gradatim.checkpoint.folder import read_model, save_model, tokenizer_json
from gradatim.data import resolve_model
from gradatim.data.catalog import resolve_data
from gradatim.engine.atomic import atomic_file
from gradatim.errors import ConfigError
from gradatim.models.backbone import BackboneConfig
from gradatim.models.classifier import StaticConfig
from gradatim.models.encoders import encoder_for
from gradatim.models.inputs import PackedTexts
from gradatim.objectives.base import Objective
from gradatim.text.pieces import PieceEncoder
from gradatim.text.tokenizer import parse_tokenizer, word_tokenizer
from gradatim.train.architecture import EVERY, STATIC, ModelSettings
from gradatim.train.documents import DataSettings, expand_sources, packed, read_documents
from gradatim.train.evaluation import held_out
from gradatim.train.recipe import Recipe
from gradatim.train.start import begin_with
from gradatim.types import Array
from gradatim.vectors.files import load_vectors
from gradatim.vectors.table import WordVectors
from gradatim.wording import count


@dataclass(frozen=True, slots=True)
class Prepared:
    """Ready to train: `evaluate` scores the model as it stands, the higher the better.

    `metrics` are all there are of it, by name, and `test` the same on a test split, for the end of a run,
    as are `examples`. `known` has the metrics of what was evaluated, by its score.
    """

    model: nn.Module
    config: ModelConfig
    objective: Objective[Any]
    evaluate: Callable[[], float] | None
    tokenizer: str
    notes: tuple[str, ...] = ()
    metrics: Callable[[], Mapping[str, float]] | None = None
    test: Callable[[], Mapping[str, float]] | None = None
    examples: Callable[[], Sequence[str]] | None = None
    known: dict[float, Mapping[str, float]] = field(default_factory=dict)

    def judged(
        self, metrics: Callable[[], Mapping[str, float]], metric: str, *, higher: bool = True
    ) -> Prepared:
        """The same, scored by one of these metrics, of which perhaps less is better."""
        sign = 1 if higher else -1
        notes = (*self.notes, f"score is {'' if higher else 'minus '}{metric} on dev")
        known: dict[float, Mapping[str, float]] = {}

        def evaluate() -> float:
            found = metrics()
            score = sign * found[metric]
            known.setdefault(score, found)  # of equal scores a run keeps the first weights
            return score

        return replace(self, evaluate=evaluate, metrics=metrics, notes=notes, known=known)

    def save(self, folder: Path) -> None:
        """Write model and tokenizer as a model folder."""
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_file(folder / "tokenizer.json") as handle:
            handle.write(self.tokenizer.encode())
        save_model(self.model, folder, config=self.config)


class Materials:
    """What all objectives build from: settings, tokenizer, and the model to start from."""

    def __init__(self, model: ModelSettings, data: DataSettings, recipe: Recipe) -> None:
        if (model.preset is None) == (model.from_ is None):
            raise ConfigError("[model] needs either `preset` or `from`")
        self.settings, self.data, self.recipe = model, data, recipe
        torch.manual_seed(recipe.seed)
        self.folder = resolve_model(model.from_) if model.from_ else None
        self.start = read_model(self.folder) if self.folder else None
        self.vectors = self._vectors()
        self.tokenizer_json = self._tokenizer()
        self.tokenizer = parse_tokenizer(self.tokenizer_json)
        size = self.tokenizer.get_vocab_size()
        self.body: BodyConfig
        if self.vectors is not None:
            self.body = StaticConfig(vocab_size=size, width=self.vectors.width)
        else:
            self.body = model.begun(self.start.config.body) if self.start else model.body(size)
        if size > self.body.vocab_size:
            raise ConfigError(
                f"[data] the tokenizer has {size} tokens, the model of `from` {self.body.vocab_size}"
            )
        if self.body.longest is not None and data.max_length > self.body.longest:
            raise ConfigError(
                f"[data] max_length {data.max_length} is more than the model's {self.body.longest}"
            )

    def _tokenizer(self) -> str:
        if self.vectors is not None:
            return str(word_tokenizer(self.vectors.words).to_str())
        if (name := self.data.tokenizer) is None:
            if self.folder is None:
                raise ConfigError(
                    "[data] lacks tokenizer: a tokenizer.json, its folder, or the name of a model"
                )
            return tokenizer_json(self.folder)
        path = Path(name)
        if path.is_file():
            return path.read_text(encoding="utf-8")
        return tokenizer_json(path if path.is_dir() else resolve_model(name))

    @property
    def transformer(self) -> BackboneConfig:
        """The body, for what only a Transformer can learn."""
        if not isinstance(self.body, BackboneConfig):
            raise ConfigError("[objective] this kind needs a Transformer: preset bert or t5, for example")
        return self.body

    def _vectors(self) -> WordVectors | None:
        """The word vectors of the preset "static"."""
        static = self.settings.preset == STATIC
        if static != (self.settings.vectors is not None):
            raise ConfigError(
                f'[model] vectors and preset = "{STATIC}" belong together: give both or neither'
            )
        if not static:
            return None
        if given := self.settings.given(EVERY):
            raise ConfigError(
                f'[model] {", ".join(given)}: preset "{STATIC}" has the width of its vectors, and no sizes'
            )
        if self.data.tokenizer is not None:
            raise ConfigError(f'[data] tokenizer: the words of preset "{STATIC}" are those of its vectors')
        return load_vectors(resolve_data(str(self.settings.vectors), "vectors"))

    def build(self, config: ModelConfig) -> nn.Module:
        """A fresh model with the body, and the head over the vocabulary, of what `from` names."""
        model = config.build()
        if self.vectors is not None:
            self._fill(model, self.vectors)
        if self.start is not None and self.folder is not None:
            begin_with(model, config, self.start, self.folder)
        return model

    def _fill(self, model: nn.Module, vectors: WordVectors) -> None:
        """Give the table of words its vectors; what is no word has zeros."""
        numbers = self.tokenizer.get_vocab()
        table = next(part for part in model.modules() if isinstance(part, nn.Embedding)).weight.data.zero_()
        own = [numbers[word] for word in vectors.rows]
        table[own] = torch.from_numpy(vectors.table[list(vectors.rows.values())])

    def token(self, *names: str) -> int | None:
        """The id of the first of these tokens that there is."""
        found = (self.tokenizer.token_to_id(name) for name in names)
        return next((index for index in found if index is not None), None)

    def sources(self) -> list[str]:
        """The sources of [data], patterns written out."""
        return expand_sources(self.data.source)

    def documents(self, fewest: int = 1) -> tuple[list[str], list[str]]:
        """Texts to train on, and texts to evaluate on, at least `fewest` where some are held out."""
        data = self.data
        texts = [text for source in self.sources() for text in read_documents(source, data)]
        if data.dev:
            return texts, [
                text for source in expand_sources(data.dev) for text in read_documents(source, data)
            ]
        share = data.share()
        held = min(len(texts) - 1, max(fewest, round(share * len(texts)))) if share else 0
        train, dev = self.hold_out(len(texts), held)
        return [texts[i] for i in train], [texts[i] for i in dev]

    def hold_out(self, count: int, held: int) -> tuple[list[int], list[int]]:
        """Of so many rows those to train on, and those `held` to evaluate on, drawn by the recipe's seed."""
        order = np.random.default_rng(self.recipe.seed).permutation(count)
        return np.sort(order[held:]).tolist(), np.sort(order[:held]).tolist()

    def rows(self, texts: list[str]) -> PackedTexts:
        """Texts with their special tokens, every window of at most `max_length` tokens as a text of its own."""
        return packed(self.encoder().encode, texts)

    def plain(self, texts: list[str]) -> PackedTexts:
        """Texts without special tokens, whole."""
        return packed(self.encoder().documents, texts)

    def encoder(self) -> PieceEncoder:
        """What makes texts readable for the body: word pieces, or the letters of words."""
        return encoder_for(self.body, self.tokenizer_json, max_length=self.data.max_length)

    def language(
        self, config: ModelConfig, objective: Callable[[list[str]], Objective[Any]], *, fewest: int = 1
    ) -> Prepared:
        """A model of language, judged by minus its loss on documents held out, at least `fewest`."""
        train, dev = self.documents(fewest)
        model = self.build(config)
        held = objective(dev) if dev else None
        evaluate = (lambda: -held_out(model, held, self.recipe)) if held else None
        notes = (f"{count(len(train), 'document')}; score is minus the loss on {len(dev):,} others",)
        return Prepared(model, config, objective(train), evaluate, self.tokenizer_json, notes)

    def begin_at(self, model: nn.Module, predicted: Array) -> None:
        """A fresh model of words knows how often each of these ids is predicted."""
        if self.start is None:
            cast(Any, model.head).begin_at(predicted)
