"""GPT-2 (`model_type` gpt2)."""

from __future__ import annotations

from typing import Any

from gradatim.checkpoint.config import ModelConfig
from gradatim.checkpoint.family import ACTIVATIONS, BARE, Architecture, Family, Fields, always, read_sizes
from gradatim.checkpoint.gpt import DEFAULTS, LAYER, SIZES, backbone, causal, write
from gradatim.checkpoint.rules import Rule, Same, linear, repeat
from gradatim.models.backbone import BackboneConfig
from gradatim.models.presets import gpt2


def _read(fields: Fields) -> BackboneConfig:
    sizes = read_sizes(fields, SIZES, ffn_width=fields.get("n_inner", 4 * fields["n_embd"]))
    axes = {
        "activation": ACTIVATIONS[fields["activation_function"]], "norm_eps": fields["layer_norm_epsilon"]
    }  # fmt: skip
    return backbone(fields, gpt2(sizes, **axes))


def _write(config: ModelConfig) -> dict[str, Any]:
    return {**write(config), "n_inner": config.body.block.ffn_width}


def _body(config: ModelConfig) -> list[Rule]:
    return [
        Same("wte.weight", "embedding.words.weight"),
        Same("wpe.weight", "embedding.positions.weight"),
        *linear("ln_f", "stack.norm"),
        *repeat(LAYER, config.body.num_layers),
    ]


FAMILY = Family(
    name="gpt2",
    prefix="transformer.",
    sizes=SIZES,
    defaults={**DEFAULTS, "activation_function": "gelu_new"},
    only={
        "scale_attn_weights": (True,),
        "scale_attn_by_inverse_layer_idx": (False,),
        "add_cross_attention": (False,),
    },
    activation="activation_function",
    read=_read,
    write=_write,
    body=_body,
    architectures={
        "GPT2Model": BARE,
        "GPT2LMHeadModel": causal("transformer.wte.weight"),
        "GPT2ForTokenClassification": Architecture(
            kind="tagging", prefix="transformer.", head=always(linear("classifier", "head.linear"))
        ),
        "GPT2ForQuestionAnswering": Architecture(
            kind="span", prefix="transformer.", head=always(linear("qa_outputs", "head.linear"))
        ),
    },
)
