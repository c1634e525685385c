"""[model] of a recipe: an architecture from nothing, or one that is there."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from gradatim.checkpoint.config import BodyConfig, DecoderConfig
from gradatim.errors import ConfigError, did_you_mean
from gradatim.models import presets
from gradatim.models.attentive import AttentiveConfig, Place
from gradatim.models.backbone import BackboneConfig
from gradatim.models.convolutional import ConvolutionalConfig
from gradatim.models.elmo import ElmoConfig
from gradatim.models.recurrent import RecurrentConfig, WindowConfig
from gradatim.nn.pooling import Pooling
from gradatim.nn.scorer import Score

ARCHITECTURES: dict[str, Callable[..., BackboneConfig]] = {
    build.__name__: build
    for build in (presets.bert, presets.roberta, presets.distilbert, presets.mpnet, presets.gpt, presets.gpt2,
                  presets.t5, presets.transformer, presets.marian)
}  # fmt: skip
SIZES = (
    "num_layers",
    "width",
    "num_heads",
    "ffn_width",
    "max_length",
    "head_width",
    "dropout",
    "attention_dropout",
)
STEPPED = ("num_layers", "width", "hidden_width", "dropout", "hidden_dropout", "word_dropout", "weight_drop")
LETTERED = ("num_layers", "width", "dropout")
WINDOWED = ("width", "hidden_width", "context", "dropout")
CONVOLVED = ("num_layers", "width", "kernel", "max_length", "dropout")
WINDOW = "window"  # the preset of Bengio et al. 2003
STATIC = "static"  # of word vectors alone
ELMO = "elmo"
CONV = "conv"  # of Gehring et al. 2017
DROPS = ("dropout", "hidden_dropout", "word_dropout", "weight_drop")  # what a recurrent body may have anew
ATTENTION: dict[str, tuple[Place, Score]] = {  # where a recurrent decoder looks at its source, and how
    "none": ("none", "additive"),
    "bahdanau": ("before", "additive"),
    "luong-dot": ("after", "dot"),
    "luong-general": ("after", "general"),
    "luong-concat": ("after", "additive"),
}
AXES = ("activation", "gated", "norm", "norm_order", "rotary", "window")
EVERY = tuple(dict.fromkeys((*SIZES, *AXES, *STEPPED, *WINDOWED, *CONVOLVED)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """[model]: `from` a folder, catalog name or hub id, or a `preset`, an architecture ("bert") or a published
    size ("bert-base"), with any of its sizes and axes changed. The vocabulary's size is the tokenizer's.
    An encoder-decoder has `decoder_layers`, as many as `num_layers` unless given (Kasai et al. 2021: deep, shallow).
    A recurrent one has `attention`: none, bahdanau, luong-dot, luong-general or luong-concat. A convolution (preset
    "conv") reads `kernel` tokens at once.
    Of several ways of `pooling` the vectors stand side by side. The preset "static" takes its `vectors`, and with
    them its words, from a file or a catalog name (glove-6b-50d).
    """

    preset: str | None = None
    from_: str | None = None
    num_layers: int | None = None
    width: int | None = None
    num_heads: int | None = None
    ffn_width: int | None = None
    max_length: int | None = None
    head_width: int | None = None
    dropout: float | None = None
    attention_dropout: float | None = None
    activation: str | None = None
    gated: bool | None = None
    norm: str | None = None
    norm_order: str | None = None
    rotary: bool | None = None
    window: int | None = None
    hidden_width: int | None = None
    hidden_dropout: float | None = None
    word_dropout: float | None = None
    weight_drop: float | None = None
    context: int | None = None
    kernel: int | None = None
    decoder_layers: int | None = None
    attention: str | None = None
    vectors: str | None = None
    pooling: Pooling | list[Pooling] = "mean"

    def __post_init__(self) -> None:
        if not self.pooling:
            raise ConfigError("pooling must be at least one way: first, last, mean or max")

    def given(self, names: tuple[str, ...]) -> dict[str, Any]:
        """Those of these settings that were set."""
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def body(self, vocab_size: int) -> BodyConfig:
        """The configuration of a preset; raises ConfigError naming the sizes that it needs."""
        name = str(self.preset)
        if name in presets.RECURRENT or name in (WINDOW, ELMO, CONV):
            return self._before_attention(name, vocab_size)
        family = name if name in ARCHITECTURES else name.partition("-")[0]
        if family not in ARCHITECTURES or name not in {*ARCHITECTURES, *presets.SIZES}:
            every = (*ARCHITECTURES, *presets.SIZES, *presets.RECURRENT, WINDOW, STATIC, ELMO, CONV)
            known = list(dict.fromkeys(every))  # some names are of a family and of a size
            raise ConfigError(
                f"[model] unknown preset '{name}'{did_you_mean(name, known)}; known: {', '.join(known)}"
            )
        self._only(name, (*SIZES, *AXES))
        given: dict[str, Any] = {"vocab_size": vocab_size, **self.given(SIZES)}
        if name in presets.SIZES:
            chosen = replace(presets.SIZES[name], **given)
        else:
            if missing := [
                size for size in ("num_layers", "width", "num_heads", "ffn_width") if size not in given
            ]:
                raise ConfigError(
                    f"[model] preset '{name}' has no sizes of its own: give {', '.join(missing)}"
                )
            chosen = presets.Sizes(**given)
        return ARCHITECTURES[family](chosen, **self.given(AXES))

    def sides(self, body: BodyConfig) -> tuple[BodyConfig, DecoderConfig]:
        """The body as an encoder, and the decoder that goes with it."""
        if self.attention is not None and not isinstance(body, RecurrentConfig):
            raise ConfigError(
                "[model] attention is chosen for a recurrent encoder-decoder: this one has its own"
            )
        match body:
            case RecurrentConfig():
                return self._attentive(body)
            case ConvolutionalConfig():
                return body, body.decoder(self.decoder_layers)
            case BackboneConfig():
                return body, presets.decoder(body, num_layers=self.decoder_layers)
        raise ConfigError("[model] an encoder-decoder is a Transformer, recurrent or convolutional")

    def _attentive(self, body: RecurrentConfig) -> tuple[RecurrentConfig, AttentiveConfig]:
        """Word vectors of length one that are read scaled; a decoder of one layer, or `decoder_layers`, as wide."""
        name = self.attention or "bahdanau"
        if name not in ATTENTION:
            raise ConfigError(
                f"[model] unknown attention '{name}'{did_you_mean(name, ATTENTION)}; known: {', '.join(ATTENTION)}"
            )
        place, score = ATTENTION[name]
        return replace(body, scaled=True, init=math.sqrt(3 / body.width)), AttentiveConfig(
            vocab_size=body.vocab_size, width=body.width, hidden_width=body.hidden_width, cell=body.cell,
            num_layers=self.decoder_layers or 1, dropout=body.dropout, place=place, score=score,
        )  # fmt: skip

    def begun(self, body: BodyConfig) -> BodyConfig:
        """The body of `from`: as it is, but for the dropout that a recurrent one may have anew."""
        given = self.given(EVERY)
        if not given:
            return body
        if not isinstance(body, RecurrentConfig) or given.keys() - set(DROPS):
            raise ConfigError(f"[model] {', '.join(given)}: sizes and axes come with the weights of `from`")
        return replace(body, **given)

    def _only(self, name: str, takes: tuple[str, ...]) -> dict[str, Any]:
        """The sizes and axes that were given; raises ConfigError for one that the preset does not take."""
        given = self.given(EVERY)
        if strange := [key for key in given if key not in takes]:
            raise ConfigError(
                f"[model] preset '{name}' has no {', '.join(strange)}; it has {', '.join(takes) or 'none'}"
            )
        return given

    def _before_attention(self, name: str, vocab_size: int) -> BodyConfig:
        """A recurrent body, a window of words, or convolutions."""
        takes = {WINDOW: WINDOWED, ELMO: LETTERED, CONV: CONVOLVED}.get(name, STEPPED)
        preset = presets.RECURRENT.get(name, {})
        given = self._only(name, takes)
        needed = [size for size in ("width", "hidden_width") if size in takes]
        if missing := [size for size in needed if size not in {**preset, **given}]:
            raise ConfigError(f"[model] preset '{name}' has no sizes of its own: give {', '.join(missing)}")
        if name == ELMO:
            return ElmoConfig(vocab_size=vocab_size, **given)
        if name == CONV:
            return ConvolutionalConfig(vocab_size=vocab_size, **given)
        if name == WINDOW:
            return WindowConfig(vocab_size=vocab_size, **given)
        return presets.recurrent(name, vocab_size=vocab_size, **given)
