"""T5, versions 1.0 and 1.1 (`model_type` t5): the encoder, and the encoder with its decoder."""

from __future__ import annotations

from typing import Any

from gradatim.checkpoint.config import ModelConfig
from gradatim.checkpoint.family import Architecture, Family, Fields, always, output, read_sizes
from gradatim.checkpoint.rules import Drop, Rule, Same, Tied, fused, linear, repeat, within
from gradatim.models.backbone import BackboneConfig
from gradatim.models.presets import decoder, t5

SIZES = {
    "vocab_size": "vocab_size",
    "num_layers": "num_layers",
    "d_model": "width",
    "num_heads": "num_heads",
    "d_ff": "ffn_width",
    "d_kv": "head_width",
    "n_positions": "max_length",
    "dropout_rate": "dropout",
}
PROJECTIONS = {  # feed_forward_proj -> activation, gated
    "relu": ("relu", False), "gelu_new": ("gelu_tanh", False), "gelu": ("gelu", False), "silu": ("silu", False),
    "gated-gelu": ("gelu_tanh", True), "gated-silu": ("silu", True), "gated-relu": ("relu", True),
}  # fmt: skip
WEIGHT = ("weight",)  # no layer has a bias, no norm a mean


def _read(fields: Fields) -> BackboneConfig:
    activation, gated = PROJECTIONS[fields["feed_forward_proj"]]
    return t5(
        read_sizes(fields, SIZES, attention_dropout=fields["dropout_rate"]),
        buckets=fields["relative_attention_num_buckets"],
        max_distance=fields["relative_attention_max_distance"],
        activation=activation,
        gated=gated,
        norm_eps=fields["layer_norm_epsilon"],
    )


def _settings(fields: Fields, body: BackboneConfig) -> dict[str, Any]:
    tied = fields.get("tie_word_embeddings", True)
    scaled = fields.get("scale_decoder_outputs", tied)  # what later versions of the reference write
    return {
        "decoder": decoder(body, num_layers=fields.get("num_decoder_layers")),
        "tied": tied,
        "scale": body.width**-0.5 if scaled else 1.0,
    }


def _write(config: ModelConfig) -> dict[str, Any]:
    body, seq2seq = config.body, config.decoder is not None
    shape = (body.block.activation, body.block.gated)
    projection = next((name for name, known in PROJECTIONS.items() if known == shape), "relu")
    return {
        "feed_forward_proj": projection,
        "relative_attention_num_buckets": body.buckets,
        "relative_attention_max_distance": body.max_distance,
        "layer_norm_epsilon": body.block.norm_eps,
        "is_encoder_decoder": seq2seq,
        "num_decoder_layers": config.decoder.num_layers if config.decoder else body.num_layers,
        **({"scale_decoder_outputs": config.scale != 1.0} if seq2seq else {}),
    }


def _side(side: str, config: BackboneConfig) -> list[Rule]:
    """One stack: its blocks, the bias that they share, and the norm at its end."""
    theirs, ours = f"{side}.block.{{}}.layer.", "stack.blocks.{}."
    ffn = f"{theirs}{1 + config.block.cross}."
    up = {"wi_0": "gate", "wi_1": "up"} if config.block.gated else {"wi": "up"}
    layer = [
        *fused([f"{theirs}0.SelfAttention.{part}" for part in "qkv"], f"{ours}attention.qkv", WEIGHT),
        *linear(f"{theirs}0.SelfAttention.o", f"{ours}attention.out", WEIGHT),
        *linear(f"{theirs}0.layer_norm", f"{ours}attention_norm", WEIGHT),
        *(
            rule
            for their_part, our_part in {**up, "wo": "down"}.items()
            for rule in linear(f"{ffn}DenseReluDense.{their_part}", f"{ours}ffn.{our_part}", WEIGHT)
        ),
        *linear(f"{ffn}layer_norm", f"{ours}ffn_norm", WEIGHT),
    ]
    if config.block.cross:
        cross = f"{theirs}1.EncDecAttention."
        layer += [
            *linear(f"{cross}q", f"{ours}cross.q", WEIGHT),
            *fused([f"{cross}k", f"{cross}v"], f"{ours}cross.kv", WEIGHT),
            *linear(f"{cross}o", f"{ours}cross.out", WEIGHT),
            *linear(f"{theirs}1.layer_norm", f"{ours}cross_norm", WEIGHT),
            Drop(f"{cross}relative_attention_bias.weight"),  # in the first release, and never used
        ]
    bias = f"{side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
    return [
        *repeat(layer, config.num_layers),
        Same(bias, "stack.bias.table.weight"),
        *linear(f"{side}.final_layer_norm", "stack.norm", WEIGHT),
    ]


def _body(config: ModelConfig) -> list[Rule]:
    words = Same("shared.weight", "embedding.words.weight")
    return [Tied("encoder.embed_tokens.weight", "shared.weight"), words, *_side("encoder", config.body)]


def _decoder(config: ModelConfig) -> list[Rule]:
    assert config.decoder is not None
    return [
        *within(_side("decoder", config.decoder), "", "decoder."),
        Tied("decoder.embed_tokens.weight", "shared.weight"),
        *output(config, "shared.weight"),
    ]


_ENCODER = Architecture(
    kind="body", inside="", head=always([Drop("decoder.*"), Drop("lm_head.weight")])
)  # fmt: skip
FAMILY = Family(
    name="t5",
    prefix="transformer.",
    sizes=SIZES,
    defaults={
        "feed_forward_proj": "relu", "layer_norm_epsilon": 1e-6, "n_positions": 512, "dropout_rate": 0.1,
        "relative_attention_num_buckets": 32, "relative_attention_max_distance": 128,
    },
    only={"is_decoder": (False,)},
    activation="feed_forward_proj",
    activations={name: activation for name, (activation, _) in PROJECTIONS.items()},
    read=_read,
    write=_write,
    body=_body,
    bare=_ENCODER,
    architectures={
        "T5EncoderModel": _ENCODER,
        "T5ForConditionalGeneration": Architecture(
            kind="seq2seq", inside="encoder.", head=_decoder, settings=_settings
        ),
        "T5ForTokenClassification": Architecture(
            kind="tagging", prefix="transformer.", head=always(linear("classifier", "head.linear"))
        ),
    },
)  # fmt: skip
