"""T5, versions 1.0 and 1.1 (`model_type` t5): the encoder, and the encoder with its decoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradatim.checkpoint.config import ModelConfig
from gradatim.checkpoint.encoder import token_head
from gradatim.checkpoint.family import Architecture, Family, output
from gradatim.checkpoint.rules import Drop, Names, Rule, Same, Tied, layers, repeat, within
from gradatim.checkpoint.setting import ACTIVATIONS, Setting
from gradatim.errors import CheckpointError
from gradatim.models.backbone import BackboneConfig
from gradatim.models.presets import t5

PROJECTIONS = {  # activation and gated
    "relu": ("relu", False), "gelu_new": ("gelu_tanh", False), "gelu": ("gelu", False), "silu": ("silu", False),
    "gated-gelu": ("gelu_tanh", True), "gated-silu": ("silu", True), "gated-relu": ("relu", True),
}  # fmt: skip


def _projection(said: tuple[str, bool], fields: Mapping[str, Any]) -> tuple[str, bool]:
    """Activation and gate; what follows from them is written by the reference too, and it goes by that."""
    name = str(fields.get("dense_act_fn", ""))
    if name and name not in ACTIVATIONS:
        raise CheckpointError(
            f"config.json of a t5 model has dense_act_fn '{name}'; known: {', '.join(ACTIVATIONS)}"
        )
    return ACTIVATIONS.get(name, said[0]), fields.get("is_gated_act", said[1])


DROPOUTS = "embedding.dropout block.dropout block.attention_dropout block.activation_dropout"
SETTINGS = (
    Setting("vocab_size", "embedding.vocab_size"),
    Setting("num_layers", "num_layers"),
    Setting("d_model", "embedding.width block.width"),
    Setting("num_heads", "block.num_heads"),
    Setting("d_kv", "block.head_width"),
    Setting("d_ff", "block.ffn_width"),
    Setting("n_positions", "embedding.max_length", default=512),
    Setting("relative_attention_num_buckets", "buckets", default=32),
    Setting("relative_attention_max_distance", "max_distance", default=128),
    Setting("layer_norm_epsilon", "embedding.norm_eps block.norm_eps", default=1e-6, form="real"),
    Setting(
        "feed_forward_proj",
        "block.activation block.gated",
        default="relu",
        values=PROJECTIONS,
        read=_projection,
    ),
    Setting("dropout_rate", DROPOUTS, default=0.1, form="real"),
)
# Of the states before the output matrix: scaled down if it is tied, unless later versions say otherwise.
SCALE: dict[str, Any] = {
    "read": lambda scaled, fields: fields["d_model"] ** -0.5 if scaled else 1.0,
    "write": lambda scale, record: scale != 1.0,
}
SEQ2SEQ = (
    Setting("num_decoder_layers", "decoder.num_layers", default=None),
    Setting("tie_word_embeddings", "scale", default=True, form="flag", **SCALE),
    Setting("scale_decoder_outputs", "scale", default=None, form="flag", **SCALE),
    Setting("tie_word_embeddings", "tied", default=True, form="flag"),
)
CROSS: dict[str, Names] = {
    "cross.q": "1.EncDecAttention.q",
    "cross.kv": ("1.EncDecAttention.k", "1.EncDecAttention.v"),
    "cross.out": "1.EncDecAttention.o",
    "cross_norm": "1.layer_norm",
}


def _side(side: str, config: BackboneConfig) -> list[Rule]:
    """One stack: its blocks, the bias that they share, and the norm at its end; no layer has a bias."""
    block = config.block
    dense = f"{2 if block.cross else 1}.DenseReluDense"
    names: dict[str, Names] = {
        "attention.qkv": ("0.SelfAttention.q", "0.SelfAttention.k", "0.SelfAttention.v"),
        "attention.out": "0.SelfAttention.o",
        "attention_norm": "0.layer_norm",
        **(CROSS if block.cross else {}),
        "ffn.up": f"{dense}.wi_1" if block.gated else f"{dense}.wi",
        **({"ffn.gate": f"{dense}.wi_0"} if block.gated else {}),
        "ffn.down": f"{dense}.wo",
        "ffn_norm": "2.layer_norm" if block.cross else "1.layer_norm",
    }
    layer = layers(names, ["weight"])
    if block.cross:
        layer.append(Drop("1.EncDecAttention.relative_attention_bias.weight"))  # in the first release
    bias = "block.0.layer.0.SelfAttention.relative_attention_bias.weight"
    rules = [
        *repeat(within(layer, "block.{}.layer.", "stack.blocks.{}."), config.num_layers),
        Same(bias, "stack.bias.table.weight"),
        *layers({"stack.norm": "final_layer_norm"}, ["weight"]),
    ]
    return [Tied(f"{side}.embed_tokens.weight", "shared.weight"), *within(rules, f"{side}.", "")]


def _body(config: ModelConfig) -> list[Rule]:
    return [Same("shared.weight", "embedding.words.weight"), *_side("encoder", config.transformer)]


def _decoder(config: ModelConfig) -> list[Rule]:
    assert isinstance(config.decoder, BackboneConfig)
    return [*within(_side("decoder", config.decoder), "", "decoder."), *output(config, "shared.weight")]


ENCODER = Architecture(kind="body", head=[Drop("decoder.*"), Drop("lm_head.weight")])

FAMILY = Family(
    name="t5",
    preset=t5,
    settings=SETTINGS,
    only={"is_decoder": False},
    prefix="transformer.",
    body=_body,
    bare=ENCODER,
    architectures={
        "T5EncoderModel": ENCODER,
        "T5ForConditionalGeneration": Architecture(
            kind="seq2seq", head=_decoder, settings=SEQ2SEQ, prefix=""
        ),
        "T5ForTokenClassification": token_head("tagging", "classifier"),
    },
)
