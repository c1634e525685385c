"""Marian's translators (`model_type` marian)."""

from __future__ import annotations

from gradatim.checkpoint.config import ModelConfig
from gradatim.checkpoint.family import Architecture, Family, output
from gradatim.checkpoint.rules import Drop, Names, Row, Rule, Same, Tied, layers, repeat, within
from gradatim.checkpoint.setting import ACTIVATIONS, Setting
from gradatim.models.backbone import BackboneConfig
from gradatim.models.presets import marian

SETTINGS = (
    Setting("vocab_size", "embedding.vocab_size"),
    Setting("encoder_layers", "num_layers"),
    Setting("d_model", "embedding.width block.width"),
    Setting("encoder_attention_heads", "block.num_heads"),
    Setting("encoder_ffn_dim", "block.ffn_width"),
    Setting("max_position_embeddings", "embedding.max_length"),
    Setting("scale_embedding", "embedding.scaled", default=False, form="flag"),
    Setting("activation_function", "block.activation", default="gelu", values=ACTIVATIONS),
    Setting("dropout", "embedding.dropout block.dropout", default=0.1, form="real"),
    Setting("attention_dropout", "block.attention_dropout", default=0.0, form="real"),
    Setting("activation_dropout", "block.activation_dropout", default=0.0, form="real"),
)
SHARED = "share_encoder_decoder_embeddings"
SEQ2SEQ = (
    Setting("decoder_layers", "decoder.num_layers", default=None),
    Setting("decoder_attention_heads", "decoder.block.num_heads", default=None),
    Setting("decoder_ffn_dim", "decoder.block.ffn_width", default=None),
    Setting(SHARED, "shared", default=True, form="flag"),
    Setting(
        "decoder_vocab_size",
        "decoder.embedding.vocab_size",
        default=None,
        read=lambda size, fields: fields["vocab_size"] if fields[SHARED] else size,
    ),
)
LAYER: dict[str, Names] = {
    "attention.qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "attention.out": "self_attn.out_proj",
    "attention_norm": "self_attn_layer_norm",
    "ffn.up": "fc1",
    "ffn.down": "fc2",
    "ffn_norm": "final_layer_norm",
}
CROSS: dict[str, Names] = {
    "cross.q": "encoder_attn.q_proj",
    "cross.kv": ("encoder_attn.k_proj", "encoder_attn.v_proj"),
    "cross.out": "encoder_attn.out_proj",
    "cross_norm": "encoder_attn_layer_norm",
}


def _side(side: str, config: BackboneConfig) -> list[Rule]:
    names = LAYER | CROSS if config.block.cross else LAYER
    layer = within(layers(names), f"{side}.layers.{{}}.", "stack.blocks.{}.")
    positions = Drop(f"{side}.embed_positions.weight")  # sinusoids, stored by some versions
    return [positions, *repeat(layer, config.num_layers)]


def _body(config: ModelConfig) -> list[Rule]:
    own = "encoder.embed_tokens.weight"
    words = "shared.weight" if config.shared else own
    tied = [Tied(own, words)] if config.shared else []
    return [Same(words, "embedding.words.weight"), *tied, *_side("encoder", config.transformer)]


def _decoder(config: ModelConfig) -> list[Rule]:
    assert isinstance(config.decoder, BackboneConfig)
    own, shared = "model.decoder.embed_tokens.weight", "model.shared.weight"
    return [
        Tied(own, shared) if config.shared else Same(own, "decoder.embedding.words.weight"),
        *within(_side("decoder", config.decoder), "model.", "decoder."),
        *output(config, shared if config.shared else own),
        Row("final_logits_bias", "head.linear.bias"),
    ]


FAMILY = Family(
    name="marian",
    preset=marian,
    settings=SETTINGS,
    only={
        "normalize_before": False,
        "normalize_embedding": False,
        "add_final_layer_norm": False,
        "static_position_embeddings": True,
        "tie_word_embeddings": True,
        "is_decoder": False,
    },
    prefix="model.",
    body=_body,
    bare=Architecture(kind="body", head=[Drop("decoder.*")]),
    architectures={
        "MarianMTModel": Architecture(kind="seq2seq", head=_decoder, settings=SEQ2SEQ, fixed={"bias": True})
    },
)
