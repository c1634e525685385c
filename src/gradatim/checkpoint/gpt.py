"""GPT (`model_type` openai-gpt), and what GPT-2 shares with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gradatim.checkpoint.config import ModelConfig
from gradatim.checkpoint.family import BARE, Architecture, Family, Fields, output, read_sizes
from gradatim.checkpoint.rules import Drop, Rule, Same, Transpose, linear, repeat
from gradatim.models.backbone import BackboneConfig
from gradatim.models.presets import gpt

SIZES = {
    "vocab_size": "vocab_size",
    "n_layer": "num_layers",
    "n_embd": "width",
    "n_head": "num_heads",
    "n_positions": "max_length",
    "resid_pdrop": "dropout",
    "attn_pdrop": "attention_dropout",
}
DEFAULTS = {"layer_norm_epsilon": 1e-5, "resid_pdrop": 0.1, "attn_pdrop": 0.1, "embd_pdrop": 0.1}
ACTIVATIONS = {"gelu": "gelu_tanh", "relu": "relu", "silu": "silu", "swish": "silu"}  # its gelu is tanh's
LAYER: list[Rule] = [
    *linear("h.{}.ln_1", "stack.blocks.{}.attention_norm"),
    *linear("h.{}.ln_2", "stack.blocks.{}.ffn_norm"),
    *(
        rule
        for theirs, ours in (
            ("attn.c_attn", "attention.qkv"),
            ("attn.c_proj", "attention.out"),
            ("mlp.c_fc", "ffn.up"),
            ("mlp.c_proj", "ffn.down"),
        )
        for rule in (
            Transpose(f"h.{{}}.{theirs}.weight", f"stack.blocks.{{}}.{ours}.weight"),
            Same(f"h.{{}}.{theirs}.bias", f"stack.blocks.{{}}.{ours}.bias"),
        )
    ),
    Drop("h.{}.attn.bias"),  # causal masks, which old checkpoints hold
    Drop("h.{}.attn.masked_bias"),
]


def backbone(fields: Fields, built: BackboneConfig) -> BackboneConfig:
    """The configuration with the embedding's own dropout."""
    return replace(built, embedding=replace(built.embedding, dropout=fields["embd_pdrop"]))


def write(config: ModelConfig) -> dict[str, Any]:
    return {
        "layer_norm_epsilon": config.body.block.norm_eps,
        "embd_pdrop": config.body.embedding.dropout,
    }


def causal(words: str) -> Architecture:
    """The language model, whose output matrix may be the word vectors called `words`."""

    def settings(fields: Fields, body: BackboneConfig) -> dict[str, Any]:
        return {"tied": fields.get("tie_word_embeddings", True)}

    return Architecture(
        kind="causal", prefix="transformer.", head=lambda config: output(config, words), settings=settings
    )


def _read(fields: Fields) -> BackboneConfig:
    sizes = read_sizes(fields, SIZES, ffn_width=4 * fields["n_embd"])
    axes = {"activation": ACTIVATIONS[fields["afn"]], "norm_eps": fields["layer_norm_epsilon"]}
    return backbone(fields, gpt(sizes, **axes))


def _body(config: ModelConfig) -> list[Rule]:
    return [
        Same("tokens_embed.weight", "embedding.words.weight"),
        Same("positions_embed.weight", "embedding.positions.weight"),
        *repeat(LAYER, config.body.num_layers),
    ]


FAMILY = Family(
    name="openai-gpt",
    prefix="transformer.",
    sizes=SIZES,
    defaults={**DEFAULTS, "afn": "gelu"},
    activation="afn",
    activations=ACTIVATIONS,
    read=_read,
    write=write,
    body=_body,
    architectures={
        "OpenAIGPTModel": BARE,
        "OpenAIGPTLMHeadModel": causal("transformer.tokens_embed.weight"),
    },
)
