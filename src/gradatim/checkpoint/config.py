"""What a model is made of, in one record: enough to build it again and to name it in any format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, cast, get_args

from torch import nn

from gradatim.errors import CheckpointError, ConfigError, check_shares
from gradatim.models.attentive import AttentiveConfig, RecurrentSeq2Seq
from gradatim.models.backbone import Backbone, BackboneConfig
from gradatim.models.classifier import Classifier, GridReader, StaticConfig, Tagger, WordVectors
from gradatim.models.convolutional import ConvolutionalBackbone, ConvolutionalConfig, ConvolutionalSeq2Seq
from gradatim.models.elmo import ElmoBackbone, ElmoConfig
from gradatim.models.heads import LanguageHead, MaskedHead, RowHead
from gradatim.models.language import Body, EncoderDecoder, LanguageModel, Seq2Seq, VectorDecoder
from gradatim.models.layers import FrozenReader, Layers
from gradatim.models.recurrent import RecurrentBackbone, RecurrentConfig, WindowConfig
from gradatim.nn.axes import ACTIVATIONS
from gradatim.nn.pooling import Pooling
from gradatim.text.grids import GridConfig

Kind = Literal[
    "body", "masked", "pretraining", "causal", "classification", "choice", "relation", "tagging", "span", "seq2seq",
    "vector_to_text", "both_ways", "table",
]  # fmt: skip
BodyConfig = BackboneConfig | RecurrentConfig | WindowConfig | StaticConfig | ElmoConfig | ConvolutionalConfig
DecoderConfig = BackboneConfig | AttentiveConfig | ConvolutionalConfig
Described = Body | WordVectors | ElmoBackbone | ConvolutionalBackbone
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
    layers       of a body that is frozen, through a BiLSTM of `recurrent_width` if above 0
    vector_width of what a text is written from
    grid         how a model of tables answers; `num_outputs` and `labels` are then those of the aggregations
    labels       names of the outputs, if known
    special      token ids by role: "pad", "bos", "eos", and "start" of a decoder
    prefix       what every source of an encoder-decoder begins with
    """

    kind: Kind
    body: BodyConfig
    decoder: DecoderConfig | None = None
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
    layers: Layers | None = None
    recurrent_width: int = 0
    vector_width: int = 0
    grid: GridConfig | None = None
    labels: tuple[str, ...] = ()
    special: Mapping[str, int] = field(default_factory=dict)
    prefix: str = ""

    def __post_init__(self) -> None:
        if self.recurrent_width < 0 or (self.recurrent_width and self.layers is None):
            raise ConfigError(
                f"recurrent_width {self.recurrent_width} must be at least 0, and above 0 it needs `layers`"
            )
        known = {"kind": get_args(Kind), "activation": ACTIVATIONS, "inner": (None, *ACTIVATIONS)}
        for field_name, values in known.items():
            if (value := getattr(self, field_name)) not in values:
                raise ConfigError(f"unknown {field_name} '{value}'; known: {', '.join(map(str, values))}")
        for how in self.pooling:
            if how not in get_args(Pooling):
                raise ConfigError(f"unknown pooling '{how}'; known: {', '.join(get_args(Pooling))}")
        check_shares(self, "dropout")

    def build(self) -> nn.Module:
        """The model with fresh weights."""
        if self.kind == "seq2seq":
            return self._pair()
        body, width = self._body()
        if self.kind == "body":
            return cast(nn.Module, body)
        if self.kind in ROWS:
            how: dict[str, Any] = {"pooling": self.pooling, "inner": self.inner, "dropout": self.dropout}
            return Classifier(body, width, self.num_outputs, **how)
        if self.kind == "table":
            if self.grid is None or not self.transformer.embedding.marks:
                raise CheckpointError("a model of tables needs `grid`, and marks in its embedding")
            return GridReader(body, width, self.num_outputs, self.grid, dropout=self.dropout)
        if self.kind in TOKENS:
            return Tagger(body, width, self.num_outputs, dropout=self.dropout)
        if self.kind == "both_ways":
            return LanguageModel(body, LanguageHead(width // 2, self.body.vocab_size, bias=True))
        words: nn.Embedding = body.embedding.words
        if self.kind in ("causal", "vector_to_text"):
            tied = words if self.tied else None
            if tied is not None and width != self.body.width:
                raise ConfigError(
                    f"words of {self.body.width} cannot be the output of states of {width}: not tied"
                )
            output = LanguageHead(width, words.num_embeddings, words=tied, bias=self.bias, scale=self.scale)
            if self.kind == "causal":
                return LanguageModel(body, output)
            if not isinstance(body, RecurrentBackbone):
                raise CheckpointError("only a recurrent body begins from a vector")
            return VectorDecoder(body, output, self.vector_width)
        if not isinstance(body, Backbone):
            raise CheckpointError(f"a {self.kind} model needs a Transformer body")
        head = MaskedHead(words, activation=self.activation, norm_eps=self.norm_eps)
        relation = RowHead(width, 2, inner="tanh", dropout=self.dropout)
        return LanguageModel(body, head, relation if self.kind == "pretraining" else None)

    def _pair(self) -> EncoderDecoder:
        """An encoder-decoder, both sides of one kind."""
        match self.body, self.decoder:
            case _, None:
                raise CheckpointError("a seq2seq model needs the configuration of its decoder")
            case RecurrentConfig() as body, AttentiveConfig() as decoder:
                return RecurrentSeq2Seq(body, decoder, shared=self.shared, bias=self.bias)
            case ConvolutionalConfig() as body, ConvolutionalConfig() as decoder:
                return ConvolutionalSeq2Seq(body, decoder, shared=self.shared, tied=self.tied, bias=self.bias)
            case BackboneConfig() as body, BackboneConfig() as decoder:
                head: dict[str, Any] = {"head_bias": self.bias, "head_scale": self.scale}
                return Seq2Seq(body, decoder, shared=self.shared, tied=self.tied, **head)
        raise CheckpointError("the encoder and the decoder of a seq2seq model must be of one kind")

    @property
    def transformer(self) -> BackboneConfig:
        """The body, where only a Transformer will do; raises CheckpointError for another."""
        if not isinstance(self.body, BackboneConfig):
            raise CheckpointError("only a Transformer can be what is asked for, and the body is none")
        return self.body

    def _body(self) -> tuple[Any, int]:
        """The body, and the width of what it says; a frozen one with what reads its layers."""
        body = self.body.build()
        if self.layers is None:
            return body, self.body.output_width
        reader = FrozenReader(
            body, self.layers, self.body.depth, self.body.output_width, recurrent_width=self.recurrent_width,
            dropout=self.dropout,
        )  # fmt: skip
        return reader, reader.output_width

    @classmethod
    def of(cls, model: nn.Module, **more: Any) -> ModelConfig:
        """Read off a model; a `kind` among `more` tells a choice from a classification, a span from tags."""
        body = model if isinstance(model, Described) else getattr(model, "body", None)
        read: dict[str, Any] = {}
        if isinstance(body, FrozenReader):
            read = {"layers": body.layers, "recurrent_width": body.recurrent_width}
            body = body.body
        if isinstance(model, RecurrentSeq2Seq):
            known: dict[str, Any] = {
                "kind": "seq2seq", "body": model.encoder.config, "decoder": model.config,
                "shared": model.words is model.encoder.embedding.words, "bias": model.head.linear.bias is not None,
            }  # fmt: skip
        elif isinstance(model, Seq2Seq | ConvolutionalSeq2Seq):
            encoder, body = model.encoder, model.decoder
            shared = body.embedding.words is encoder.embedding.words
            known = {"kind": "seq2seq", "body": encoder.config, "decoder": body.config, "shared": shared}
            known |= _output(model.head, body)
        elif not isinstance(body, Described):
            raise CheckpointError(
                f"a {type(model).__name__} without a body of a known kind cannot be described"
            )
        else:
            known = {"body": body.config, **_head(model, body), **read}
        return cls(**{**known, **more})

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> ModelConfig:
        """The inverse of `to_dict`, also after JSON; raises TypeError or KeyError on a field that is wrong."""
        decoder = fields.get("decoder")
        parts = {
            "body": _body(fields["body"]),
            "decoder": _decoder(decoder) if decoder else None,
            "pooling": tuple(fields.get("pooling", ("first",))),
            "labels": tuple(fields.get("labels", ())),
            "grid": GridConfig(**fields["grid"]) if fields.get("grid") else None,
        }
        return cls(**{**fields, **parts})


def _body(fields: Mapping[str, Any]) -> BodyConfig:
    """A body's configuration, told apart by a field that the others do not have."""
    kinds: dict[str, Callable[..., BodyConfig]] = {
        "cell": RecurrentConfig, "context": WindowConfig, "static": StaticConfig, "filters": _elmo,
        "kernel": ConvolutionalConfig,
    }  # fmt: skip
    for field_name, kind in kinds.items():
        if field_name in fields:
            return kind(**fields)
    return BackboneConfig.from_dict(fields)


def _decoder(fields: Mapping[str, Any]) -> DecoderConfig:
    if "kernel" in fields:
        return ConvolutionalConfig(**fields)
    return AttentiveConfig(**fields) if "score" in fields else BackboneConfig.from_dict(fields)


def _elmo(**fields: Any) -> ElmoConfig:
    return ElmoConfig.from_dict(fields)


def _head(model: nn.Module, body: Any) -> dict[str, Any]:
    if isinstance(model, LanguageModel) and isinstance(body, ElmoBackbone):
        return {"kind": "both_ways"}
    if isinstance(model, Described):
        return {"kind": "body"}
    match model:
        case VectorDecoder(head=LanguageHead() as head):
            width = model.enter.in_features
            return {"kind": "vector_to_text", "vector_width": width, **_output(head, body)}
        case LanguageModel(head=LanguageHead() as head):
            return {"kind": "causal", **_output(head, body)}
        case LanguageModel(head=MaskedHead() as head):
            kind = "masked" if model.relation is None else "pretraining"
            return {"kind": kind, "activation": head.activation, "norm_eps": head.norm.eps}
        case GridReader(head=head, aggregation=aggregation):
            count = aggregation.linear.out_features if aggregation else 0
            return {"kind": "table", "num_outputs": count, "grid": model.config, "dropout": head.dropout.p}
        case Classifier(head=head) | Tagger(head=head):
            known: dict[str, Any] = {"num_outputs": head.linear.out_features, "dropout": head.dropout.p}
            if isinstance(model, Classifier):
                inner = head.activation
                return {**known, "kind": "classification", "pooling": model.pooling, "inner": inner}
            return {**known, "kind": "tagging"}
    raise CheckpointError(f"a {type(model).__name__} cannot be described")


def _output(head: LanguageHead, body: Body | ConvolutionalBackbone) -> dict[str, Any]:
    tied = head.linear.weight is body.embedding.words.weight
    return {"tied": tied, "bias": head.linear.bias is not None, "scale": head.scale}
