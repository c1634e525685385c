"""Marian's translators (`model_type` marian)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gradatim.checkpoint.config import ModelConfig
from gradatim.checkpoint.encoder import block
from gradatim.checkpoint.family import ACTIVATIONS, Architecture, Family, Fields, always, output, read_sizes
from gradatim.checkpoint.rules import Drop, Row, Rule, Same, Tied, fused, linear, repeat, within
from gradatim.models.backbone import BackboneConfig
from gradatim.models.presets import decoder, marian

SIZES = {
    "vocab_size": "vocab_size",
    "encoder_layers": "num_layers",
    "d_model": "width",
    "encoder_attention_heads": "num_heads",
    "encoder_ffn_dim": "ffn_width",
    "max_position_embeddings": "max_length",
    "dropout": "dropout",
    "attention_dropout": "attention_dropout",
}
DECODER = {"decoder_attention_heads": "num_heads", "decoder_ffn_dim": "ffn_width"}  # theirs -> BlockConfig's


def _read(fields: Fields) -> BackboneConfig:
    return marian(
        read_sizes(fields, SIZES),
        scaled=fields["scale_embedding"],
        activation=ACTIVATIONS[fields["activation_function"]],
        activation_dropout=fields["activation_dropout"],
    )


def _settings(fields: Fields, body: BackboneConfig) -> dict[str, Any]:
    shared = fields["share_encoder_decoder_embeddings"]
    size = (
        body.embedding.vocab_size if shared else fields.get("decoder_vocab_size", body.embedding.vocab_size)
    )
    reader = decoder(body, num_layers=fields.get("decoder_layers"))
    sizes = {ours: fields[theirs] for theirs, ours in DECODER.items() if theirs in fields}
    return {
        "decoder": replace(
            reader,
            embedding=replace(body.embedding, vocab_size=size),
            block=replace(reader.block, head_width=0, **sizes),
        ),
        "shared": shared,
        "bias": True,
    }


def _write(config: ModelConfig) -> dict[str, Any]:
    embedding, reader = config.body.embedding, config.decoder or config.body
    return {
        "scale_embedding": embedding.scaled,
        "static_position_embeddings": True,
        "activation_dropout": config.body.block.activation_dropout,
        "share_encoder_decoder_embeddings": config.shared,
        "decoder_vocab_size": reader.embedding.vocab_size,
        "decoder_layers": reader.num_layers,
        "decoder_attention_heads": reader.block.num_heads,
        "decoder_ffn_dim": reader.block.ffn_width,
        "is_encoder_decoder": True,
    }


def _side(side: str, config: BackboneConfig) -> list[Rule]:
    stem, cross = f"{side}.layers.{{}}.", f"{side}.layers.{{}}.encoder_attn"
    layer = block(
        stem,
        qkv=("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
        out="self_attn.out_proj",
        norm="self_attn_layer_norm",
        up="fc1",
        down="fc2",
        ffn_norm="final_layer_norm",
    )
    if config.block.cross:
        layer += [
            *linear(f"{cross}.q_proj", "stack.blocks.{}.cross.q"),
            *fused([f"{cross}.k_proj", f"{cross}.v_proj"], "stack.blocks.{}.cross.kv"),
            *linear(f"{cross}.out_proj", "stack.blocks.{}.cross.out"),
            *linear(f"{cross}_layer_norm", "stack.blocks.{}.cross_norm"),
        ]
    positions = Drop(f"{side}.embed_positions.weight")  # sinusoids, stored by some versions
    return [positions, *repeat(layer, config.num_layers)]


def _body(config: ModelConfig) -> list[Rule]:
    own = "encoder.embed_tokens.weight"
    theirs = "shared.weight" if config.shared else own
    words: list[Rule] = [
        Same(theirs, "embedding.words.weight"),
        *([Tied(own, theirs)] if config.shared else []),
    ]
    return [*words, *_side("encoder", config.body)]


def _decoder(config: ModelConfig) -> list[Rule]:
    assert config.decoder is not None
    own = "model.decoder.embed_tokens.weight"
    words: Rule = (
        Tied(own, "model.shared.weight") if config.shared else Same(own, "decoder.embedding.words.weight")
    )
    return [
        words,
        *within(_side("decoder", config.decoder), "model.", "decoder."),
        *output(config, "model.shared.weight" if config.shared else own),
        Row("final_logits_bias", "head.linear.bias"),
    ]


FAMILY = Family(
    name="marian",
    prefix="model.",
    sizes=SIZES,
    defaults={
        "activation_function": "gelu", "scale_embedding": False, "dropout": 0.1, "attention_dropout": 0.0,
        "activation_dropout": 0.0, "share_encoder_decoder_embeddings": True,
    },
    only={
        "normalize_before": (False,), "normalize_embedding": (False,), "add_final_layer_norm": (False,),
        "static_position_embeddings": (True,), "tie_word_embeddings": (True,), "is_decoder": (False,),
    },
    activation="activation_function",
    read=_read,
    write=_write,
    body=_body,
    bare=Architecture(kind="body", inside="", head=always([Drop("decoder.*")])),
    architectures={
        "MarianMTModel": Architecture(
            kind="seq2seq", prefix="model.", inside="encoder.", head=_decoder, settings=_settings
        ),
    },
)  # fmt: skip
