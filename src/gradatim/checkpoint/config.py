"""What a model is made of, in one record: enough to build it again and to name it in any format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from torch import nn

from gradatim.errors import CheckpointError
from gradatim.models.backbone import Backbone, BackboneConfig
from gradatim.models.classifier import Classifier, Tagger
from gradatim.models.heads import LanguageHead, MaskedHead, RowHead
from gradatim.models.language import LanguageModel, Seq2Seq
from gradatim.nn.block import ACTIVATIONS
from gradatim.nn.pooling import Pooling

Kind = Literal[
    "body", "masked", "pretraining", "causal", "classification", "choice", "relation", "tagging", "span", "seq2seq"
]  # fmt: skip
ROWS = ("classification", "choice", "relation")  # one vector of logits per row: a Classifier
TOKENS = ("tagging", "span")  # logits of every token: a Tagger


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """Which model it is, its backbones, and the choices its head leaves open.

    kind         what the model is for; it decides the class ("span" and "tagging" are both a Tagger)
    num_outputs  of a head over rows or tokens; `pooling` and `inner` are a row head's
    activation   of a masked-word head, as is `norm_eps`
    tied         the output matrix is the word vectors; `shared`: decoder and encoder have the same ones
    bias, scale  of the output matrix, and of the states before it
    labels       names of the outputs, if known
    special      token ids by role: "pad", "bos", "eos", and "start" of a decoder
    """

    kind: Kind
    body: BackboneConfig
    decoder: BackboneConfig | None = None
    num_outputs: int = 0
    pooling: tuple[Pooling, ...] = ("first",)
    inner: str | None = None
    activation: str = "gelu"
    norm_eps: float = 1e-12
    tied: bool = True
    shared: bool = True
    bias: bool = False
    scale: float = 1.0
    dropout: float = 0.1
    labels: tuple[str, ...] = ()
    special: Mapping[str, int] = field(default_factory=dict)

    def build(self) -> nn.Module:
        """The model with fresh weights."""
        if self.kind == "seq2seq":
            if self.decoder is None:
                raise CheckpointError("a seq2seq model needs the configuration of its decoder")
            return Seq2Seq(
                self.body,
                self.decoder,
                shared=self.shared,
                tied=self.tied,
                head_bias=self.bias,
                head_scale=self.scale,
            )
        body, width = Backbone(self.body), self.body.width
        words = body.embedding.words
        if self.kind == "body":
            return body
        if self.kind in ROWS:
            return Classifier(
                body,
                width,
                self.num_outputs,
                pooling=self.pooling,
                inner=self.inner,
                dropout=self.dropout,
            )
        if self.kind in TOKENS:
            return Tagger(body, width, self.num_outputs, dropout=self.dropout)
        if self.kind == "causal":
            tied = words if self.tied else None
            return LanguageModel(
                body,
                LanguageHead(width, words.num_embeddings, words=tied, bias=self.bias, scale=self.scale),
            )
        head = MaskedHead(words, activation=self.activation, norm_eps=self.norm_eps)
        relation = RowHead(width, 2, inner="tanh", dropout=self.dropout)
        return LanguageModel(body, head, relation if self.kind == "pretraining" else None)

    @classmethod
    def of(cls, model: nn.Module, *, kind: Kind | None = None, **more: Any) -> ModelConfig:
        """Read off a model; `kind` tells a choice from a classification, a span from tags."""
        if isinstance(model, Seq2Seq):
            encoder, decoder, head = model.encoder, model.decoder, model.head
            shared = decoder.embedding.words is encoder.embedding.words
            tied = head.linear.weight is decoder.embedding.words.weight
            return cls(
                kind=kind or "seq2seq",
                body=encoder.config,
                decoder=decoder.config,
                shared=shared,
                tied=tied,
                bias=head.linear.bias is not None,
                scale=head.scale,
                **more,
            )
        body = model if isinstance(model, Backbone) else getattr(model, "body", None)
        if not isinstance(body, Backbone):
            raise CheckpointError(f"a {type(model).__name__} without a Transformer body cannot be described")
        known: dict[str, Any] = {"body": body.config}
        if isinstance(model, Backbone):
            known |= {"kind": "body"}
        elif isinstance(model, LanguageModel):
            known |= _language(model)
        elif isinstance(model, Classifier | Tagger):
            head_dropout = model.head.dropout.p
            known |= {"num_outputs": model.head.linear.out_features, "dropout": head_dropout}
            known |= {"kind": "tagging"} if isinstance(model, Tagger) else _rows(model)
        else:
            raise CheckpointError(f"a {type(model).__name__} cannot be described")
        return cls(**{**known, **({"kind": kind} if kind else {}), **more})

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> ModelConfig:
        """The inverse of `to_dict`, also after JSON; raises TypeError or KeyError on a field that is wrong."""
        decoder = fields.get("decoder")
        parts = {
            "body": BackboneConfig.from_dict(fields["body"]),
            "decoder": BackboneConfig.from_dict(decoder) if decoder else None,
            "pooling": tuple(fields.get("pooling", ("first",))),
            "labels": tuple(fields.get("labels", ())),
        }
        return cls(**{**fields, **parts})


def _language(model: LanguageModel) -> dict[str, Any]:
    head = model.head
    if isinstance(head, LanguageHead):
        tied = head.linear.weight is model.body.embedding.words.weight
        return {"kind": "causal", "tied": tied, "bias": head.linear.bias is not None, "scale": head.scale}
    return {
        "kind": "masked" if model.relation is None else "pretraining",
        "activation": _named(head.activation),
        "norm_eps": head.norm.eps,
    }


def _rows(model: Classifier) -> dict[str, Any]:
    inner = model.head.activation
    return {
        "kind": "classification",
        "pooling": model.pooling,
        "inner": _named(inner) if inner else None,
    }


def _named(activation: Any) -> str:
    return next(name for name, function in ACTIVATIONS.items() if function is activation)
