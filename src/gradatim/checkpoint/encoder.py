"""What encoders of BERT's line share: settings, tables of embedding, layers and heads, and their classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gradatim.checkpoint.config import Kind, ModelConfig
from gradatim.checkpoint.family import BARE, Architecture
from gradatim.checkpoint.rules import Drop, Names, Rule, Same, Tied, layers, repeat, within
from gradatim.checkpoint.setting import ACTIVATIONS, Setting

SETTINGS = (
    Setting("vocab_size", "embedding.vocab_size"),
    Setting("num_hidden_layers", "num_layers"),
    Setting("hidden_size", "embedding.width block.width"),
    Setting("num_attention_heads", "block.num_heads"),
    Setting("intermediate_size", "block.ffn_width"),
    Setting("max_position_embeddings", "embedding.max_length"),
    Setting("hidden_act", "block.activation", default="gelu", values=ACTIVATIONS),
    Setting("layer_norm_eps", "embedding.norm_eps block.norm_eps", default=1e-12, form="real"),
    Setting("hidden_dropout_prob", "embedding.dropout block.dropout", default=0.1, form="real"),
    Setting("attention_probs_dropout_prob", "block.attention_dropout", default=0.1, form="real"),
)
# The reference cannot run without a segment.
SEGMENTS = Setting("type_vocab_size", "embedding.num_segments", default=2, least=1)
ONLY = {
    "position_embedding_type": "absolute",
    "is_decoder": False,
    "add_cross_attention": False,
    "tie_word_embeddings": True,
}
# Of a masked-word head; and of the others, whose dropout is the body's unless they have their own.
ACTIVATION = Setting("hidden_act", "activation", default="gelu", values=ACTIVATIONS)
NORM_EPS = Setting("layer_norm_eps", "norm_eps", default=1e-12, form="real")
BODY_DROPOUT = Setting("hidden_dropout_prob", "dropout", default=None, form="real")
OWN_DROPOUT = Setting("classifier_dropout", "dropout", default=None, form="real")

SEGMENT_VECTORS = Same("embeddings.token_type_embeddings.weight", "embedding.segments.weight")
EMBEDDING: list[Rule] = [
    Same("embeddings.word_embeddings.weight", "embedding.words.weight"),
    Same("embeddings.position_embeddings.weight", "embedding.positions.weight"),
    *layers({"embedding.norm": "embeddings.LayerNorm"}),
    Drop("embeddings.position_ids"),
    Drop("pooler.*"),
]


def body(stem: str, names: Mapping[str, Names], *more: Rule) -> Callable[[ModelConfig], Sequence[Rule]]:
    """The table of an encoder whose layers have these names behind their stem."""
    layer = within(layers(names), stem, "stack.blocks.{}.")
    return lambda config: [*EMBEDDING, *more, *repeat(layer, config.transformer.num_layers)]


def masked_head(prefix: str, dense: str, norm: str, decoder: str, bias: str) -> list[Rule]:
    """The masked-word head; its output matrix and its bias may be stored twice."""
    rules = layers({"head.linear": dense, "head.norm": norm})
    rules += [
        Same(bias, "head.words.linear.bias"),
        Tied(f"{decoder}.weight", f"{prefix}embeddings.word_embeddings.weight"),
    ]
    return rules if bias == f"{decoder}.bias" else [*rules, Tied(f"{decoder}.bias", bias)]


def row_head(kind: Kind, names: tuple[str, str], dropout: tuple[Setting, ...], **fixed: Any) -> Architecture:
    """The class with a layer and an activation, and the layer that gives a row's logits."""
    head = layers({"head.inner": names[0], "head.linear": names[1]})
    return Architecture(kind=kind, head=head, settings=dropout, fixed={"inner": "tanh", **fixed})


def token_head(kind: Kind, name: str, dropout: tuple[Setting, ...] = ()) -> Architecture:
    """The class with one layer on every token."""
    return Architecture(kind=kind, head=layers({"head.linear": name}), settings=dropout)


def architectures(
    stem: str,
    *,
    masked: Architecture,
    row: tuple[str, str],
    choice: tuple[str, str],
    dropout: tuple[Setting, ...] = (BODY_DROPOUT, OWN_DROPOUT),
    inner: str = "tanh",
) -> dict[str, Architecture]:
    """The classes that every encoder has; `row` and `choice` name the two layers of their heads."""
    return {
        f"{stem}Model": BARE,
        f"{stem}ForMaskedLM": masked,
        f"{stem}ForSequenceClassification": row_head("classification", row, dropout, inner=inner),
        f"{stem}ForMultipleChoice": row_head("choice", choice, dropout, inner=inner, num_outputs=1),
        f"{stem}ForTokenClassification": token_head("tagging", "classifier", dropout),
        f"{stem}ForQuestionAnswering": token_head("span", "qa_outputs", dropout),
    }
