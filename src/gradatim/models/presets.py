"""The named architectures: each is a configuration of the one backbone, and reads as what its paper chose.

Every preset takes `Sizes`; `SIZES` holds the published ones. A decoder of an encoder-decoder is
`decoder(preset(...))`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from gradatim.models.backbone import BackboneConfig
from gradatim.models.recurrent import RecurrentConfig
from gradatim.nn.axes import BlockConfig
from gradatim.nn.embedding import EmbeddingConfig
from gradatim.text.grids import CELL
from gradatim.text.grids import SIZES as SIZES_OF_MARKS


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What varies between sizes of one architecture; a `head_width` of 0 is width / num_heads."""

    vocab_size: int
    num_layers: int
    width: int
    num_heads: int
    ffn_width: int
    max_length: int = 512
    head_width: int = 0
    dropout: float = 0.1
    attention_dropout: float = 0.1


_BASE = Sizes(vocab_size=30522, num_layers=12, width=768, num_heads=12, ffn_width=3072)
_LARGE = replace(_BASE, num_layers=24, width=1024, num_heads=16, ffn_width=4096)
_2017 = Sizes(
    vocab_size=37000, num_layers=6, width=512, num_heads=8, ffn_width=2048, max_length=1024,
    attention_dropout=0.0,
)  # fmt: skip

SIZES = {  # as published
    "bert-base": _BASE,
    "bert-large": _LARGE,
    "roberta-base": replace(_BASE, vocab_size=50265),
    "roberta-large": replace(_LARGE, vocab_size=50265),
    "distilbert-base": replace(_BASE, num_layers=6),
    "mpnet-base": replace(_BASE, vocab_size=30527),
    "gpt": replace(_BASE, vocab_size=40478),
    "gpt2": replace(_BASE, vocab_size=50257, max_length=1024),
    "t5-small": replace(_BASE, vocab_size=32128, num_layers=6, width=512, num_heads=8, ffn_width=2048),
    "t5-base": replace(_BASE, vocab_size=32128),
    "transformer-base": _2017,
    "transformer-big": replace(_2017, width=1024, num_heads=16, ffn_width=4096, dropout=0.3),
    "marian": replace(_2017, vocab_size=58101, max_length=512),
}


def bert(sizes: Sizes, *, num_segments: int = 2, **axes: Any) -> BackboneConfig:
    """BERT (Devlin et al. 2019): post-norm, learned positions, segments, a norm on the embedding."""
    return _build(sizes, {"num_segments": num_segments, "norm": True}, {"norm_eps": 1e-12, **axes})


def tapas(sizes: Sizes, *, num_segments: int = 3, **axes: Any) -> BackboneConfig:
    """TAPAS (Herzig et al. 2020): BERT that is told row, column and rank, whose positions restart in every cell."""
    embedding = {"num_segments": num_segments, "norm": True, "marks": dict(SIZES_OF_MARKS), "restart": CELL}
    return _build(sizes, embedding, {"norm_eps": 1e-12, **axes})


def roberta(sizes: Sizes, **axes: Any) -> BackboneConfig:
    """RoBERTa (Liu et al. 2019): BERT whose positions start at 2 and whose one segment means nothing."""
    embedding = {"num_segments": 1, "norm": True, "first_position": 2}
    return _build(sizes, embedding, {"norm_eps": 1e-5, **axes})


def distilbert(sizes: Sizes, **axes: Any) -> BackboneConfig:
    """DistilBERT (Sanh et al. 2019): BERT without segments, half as deep."""
    return _build(sizes, {"norm": True}, {"norm_eps": 1e-12, **axes})


def mpnet(sizes: Sizes, *, buckets: int = 32, **axes: Any) -> BackboneConfig:
    """MPNet (Song et al. 2020): RoBERTa without segments, with T5's bias by distance in every layer."""
    embedding = {"norm": True, "first_position": 2}
    return _build(sizes, embedding, {"norm_eps": 1e-5, **axes}, buckets=buckets)


def gpt(sizes: Sizes, **axes: Any) -> BackboneConfig:
    """GPT (Radford et al. 2018): the 2017 decoder without its cross-attention; learned positions."""
    return _build(sizes, {}, {"norm_eps": 1e-5, "activation": "gelu_tanh", "causal": True, **axes})


def gpt2(sizes: Sizes, **axes: Any) -> BackboneConfig:
    """GPT-2 (Radford et al. 2019): GPT with the norm before each part and one at the end."""
    return replace(gpt(sizes, **{"norm_order": "pre", **axes}), final_norm=True)


def t5(
    sizes: Sizes,
    *,
    buckets: int = 32,
    max_distance: int = 128,
    **axes: Any,
) -> BackboneConfig:
    """T5 (Raffel et al. 2020): pre-norm without means or biases, unscaled scores, positions by distance.

    T5 v1.1 is `activation="gelu_tanh", gated=True`.
    """
    block = {
        "norm": "rms", "norm_order": "pre", "norm_eps": 1e-6, "bias": False, "scale": 1.0,
        "activation": "relu", "activation_dropout": sizes.dropout,
    }  # fmt: skip
    built = _build(sizes, {"positions": "none"}, {**block, **axes}, buckets=buckets, final_norm=True)
    return replace(built, max_distance=max_distance, init_std=None)


def transformer(sizes: Sizes, **axes: Any) -> BackboneConfig:
    """The Transformer (Vaswani et al. 2017); `norm_order="pre"` closes it with a norm (Xiong et al. 2020)."""
    embedding = {"positions": "interleaved", "scaled": True}
    block = {"norm_eps": 1e-5, "activation": "relu", **axes}
    built = _build(sizes, embedding, block, final_norm=block.get("norm_order") == "pre")
    return replace(built, init_std=None)


def marian(
    sizes: Sizes,
    *,
    scaled: bool = True,
    **axes: Any,
) -> BackboneConfig:
    """Marian's Transformer (Junczys-Dowmunt et al. 2018): sinusoids in halves, SiLU."""
    embedding = {"positions": "halves", "scaled": scaled}
    built = _build(sizes, embedding, {"norm_eps": 1e-5, "activation": "silu", **axes})
    return replace(built, init_std=None)


def decoder(config: BackboneConfig, *, num_layers: int | None = None) -> BackboneConfig:
    """The decoder that reads this encoder: causal, with cross-attention, as deep unless said otherwise."""
    block = replace(config.block, causal=True, cross=True)
    return replace(config, block=block, num_layers=num_layers or config.num_layers)


def _build(
    sizes: Sizes,
    embedding: dict[str, Any],
    block: dict[str, Any],
    *,
    buckets: int = 0,
    final_norm: bool = False,
) -> BackboneConfig:
    """Sizes and axes as one configuration; the embedding's norm is as exact as the block's."""
    return BackboneConfig(
        embedding=EmbeddingConfig(
            vocab_size=sizes.vocab_size,
            width=sizes.width,
            max_length=sizes.max_length,
            dropout=sizes.dropout,
            norm_eps=block["norm_eps"],
            **embedding,
        ),
        block=BlockConfig(
            width=sizes.width,
            num_heads=sizes.num_heads,
            head_width=sizes.head_width,
            ffn_width=sizes.ffn_width,
            **{"dropout": sizes.dropout, "attention_dropout": sizes.attention_dropout, **block},
        ),
        num_layers=sizes.num_layers,
        buckets=buckets,
        final_norm=final_norm,
    )


RECURRENT: dict[str, dict[str, Any]] = {  # what is not given here, a recipe must give
    "rnn": {"cell": "rnn"},
    "relu": {"cell": "relu"},
    "gru": {"cell": "gru"},
    "lstm": {"cell": "lstm"},
    "bilstm": {"cell": "lstm", "bidirectional": True},
    "bigru": {"cell": "gru", "bidirectional": True},
    # Zaremba et al. 2014, section 4.1. Differs: dropout is locked
    "lstm-medium": {
        "cell": "lstm", "num_layers": 2, "width": 650, "hidden_width": 650, "dropout": 0.5, "hidden_dropout": 0.5
    },
    # Merity et al. 2018, section 5
    "awd-lstm": {
        "cell": "lstm", "num_layers": 3, "width": 400, "hidden_width": 1150, "dropout": 0.4, "hidden_dropout": 0.25,
        "word_dropout": 0.1, "weight_drop": 0.5, "init": 0.1,
    },
}  # fmt: skip


def recurrent(name: str, **given: Any) -> RecurrentConfig:
    """One of `RECURRENT`, with what is given changed."""
    return RecurrentConfig(**{**RECURRENT[name], **given})
