"""GPT (`model_type` openai-gpt) and GPT-2 (gpt2)."""

from __future__ import annotations

from gradatim.checkpoint.encoder import token_head
from gradatim.checkpoint.family import BARE, Architecture, Family, output
from gradatim.checkpoint.rules import Drop, Rule, Same, Transpose, Zeros, layers, repeat, within
from gradatim.checkpoint.setting import ACTIVATIONS, Setting
from gradatim.models.presets import gpt, gpt2

SETTINGS = (
    Setting("vocab_size", "embedding.vocab_size"),
    Setting("n_layer", "num_layers"),
    Setting("n_embd", "block.ffn_width", read=lambda width, fields: 4 * width),
    Setting("n_embd", "embedding.width block.width"),
    Setting("n_head", "block.num_heads"),
    Setting("n_positions", "embedding.max_length"),
    Setting("layer_norm_epsilon", "embedding.norm_eps block.norm_eps", default=1e-5, form="real"),
    Setting("embd_pdrop", "embedding.dropout", default=0.1, form="real"),
    Setting("resid_pdrop", "block.dropout", default=0.1, form="real"),
    Setting("attn_pdrop", "block.attention_dropout", default=0.1, form="real"),
)
TANH = {"gelu": "gelu_tanh", "relu": "relu", "silu": "silu", "swish": "silu"}  # what GPT calls gelu
MATRICES = {
    "attention.qkv": "attn.c_attn",
    "attention.out": "attn.c_proj",
    "ffn.up": "mlp.c_fc",
    "ffn.down": "mlp.c_proj",
}
LAYER: list[Rule] = [
    *layers({"attention_norm": "ln_1", "ffn_norm": "ln_2"}),
    *layers(MATRICES, matrix=Transpose),
    Drop("attn.bias"),  # causal masks, which old checkpoints hold
    Drop("attn.masked_bias"),
]


def _body(words: str, positions: str, num_layers: int) -> list[Rule]:
    return [
        Same(words, "embedding.words.weight"),
        Same(positions, "embedding.positions.weight"),
        *repeat(within(LAYER, "h.{}.", "stack.blocks.{}."), num_layers),
    ]


def _causal(words: str) -> Architecture:
    tied = Setting("tie_word_embeddings", "tied", default=True, form="flag")
    return Architecture(kind="causal", head=lambda config: output(config, words), settings=(tied,))


# A linear layer without a bias on the last token of a row.
LAST_TOKEN = Architecture(
    kind="classification",
    head=[Same("score.weight", "head.linear.weight"), Zeros("head.linear.bias")],
    fixed={"pooling": ["last"], "dropout": 0.0},
)
GPT = Family(
    name="openai-gpt",
    preset=gpt,
    settings=(*SETTINGS, Setting("afn", "block.activation", default="gelu", values=TANH)),
    only={},
    prefix="transformer.",
    body=lambda config: _body("tokens_embed.weight", "positions_embed.weight", config.transformer.num_layers),
    architectures={
        "OpenAIGPTModel": BARE,
        "OpenAIGPTLMHeadModel": _causal("transformer.tokens_embed.weight"),
        "OpenAIGPTForSequenceClassification": LAST_TOKEN,
    },
)
GPT2 = Family(
    name="gpt2",
    preset=gpt2,
    settings=(
        *SETTINGS,
        Setting("n_inner", "block.ffn_width", default=None),
        Setting("activation_function", "block.activation", default="gelu_new", values=ACTIVATIONS),
    ),
    only={"scale_attn_weights": True, "scale_attn_by_inverse_layer_idx": False, "add_cross_attention": False},
    prefix="transformer.",
    body=lambda config: [
        *_body("wte.weight", "wpe.weight", config.transformer.num_layers),
        *layers({"stack.norm": "ln_f"}),
    ],
    architectures={
        "GPT2Model": BARE,
        "GPT2LMHeadModel": _causal("transformer.wte.weight"),
        "GPT2ForSequenceClassification": LAST_TOKEN,
        "GPT2ForTokenClassification": token_head("tagging", "classifier"),
        "GPT2ForQuestionAnswering": token_head("span", "qa_outputs"),
    },
)
