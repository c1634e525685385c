"""What a family of foreign checkpoints is: fields of its config.json, and the tensor tables of its models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from gradatim.checkpoint.config import ROWS, TOKENS, Kind, ModelConfig
from gradatim.checkpoint.rules import Rule, Same, Tied, within
from gradatim.errors import CheckpointError, did_you_mean
from gradatim.models.backbone import BackboneConfig
from gradatim.models.presets import Sizes

Fields = Mapping[str, Any]
Settings = Callable[[Fields, BackboneConfig], dict[str, Any]]

ACTIVATIONS = {
    "gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "relu": "relu", "silu": "silu",
    "swish": "silu",
}  # fmt: skip
SPECIAL = {
    "pad": "pad_token_id",
    "bos": "bos_token_id",
    "eos": "eos_token_id",
    "start": "decoder_start_token_id",
}
OUTPUT = "lm_head.weight"
ONLY: Mapping[str, tuple[Any, ...]] = {"quantization_config": (None,), "pruned_heads": ({},)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """One class of the reference: which of our models it is, and the table of what it adds to the body.

    `prefix` stands before the body's foreign names and `inside` before ours; `settings` gives the
    fields of `ModelConfig` that this head fixes or that config.json holds.
    """

    kind: Kind
    prefix: str = ""
    inside: str = "body."
    head: Callable[[ModelConfig], Sequence[Rule]] = lambda config: ()
    settings: Settings = lambda fields, body: {}


BARE = Architecture(kind="body", inside="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A `model_type`: how its config.json and its tensors become ours, and back.

    sizes        foreign field -> field of `Sizes`; these must be there
    defaults     what a field means when it is absent
    only         fields of which only these values can be expressed
    activations  what the field `activation` may say -> our name
    bare         how the body alone is read, from whatever model it stands in
    read, write  the backbone of complete fields, and the fields of a model beside `sizes`
    body         the table of the backbone, the encoder of two
    """

    name: str
    prefix: str
    sizes: Mapping[str, str]
    defaults: Fields
    activation: str
    read: Callable[[Fields], BackboneConfig]
    write: Callable[[ModelConfig], dict[str, Any]]
    body: Callable[[ModelConfig], Sequence[Rule]]
    architectures: Mapping[str, Architecture]
    only: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    bare: Architecture = BARE
    activations: Mapping[str, str] = field(default_factory=lambda: ACTIVATIONS)

    def config(self, fields: Fields, architecture: Architecture) -> ModelConfig:
        """Our record of a config.json; raises CheckpointError with all that cannot be expressed."""
        fields = {**self.defaults, **{name: value for name, value in fields.items() if value is not None}}
        faults = [f"lacks the number {name}" for name in self.sizes if not _is_number(fields.get(name))]
        if (activation := fields.get(self.activation)) not in self.activations:
            near = did_you_mean(str(activation), self.activations)
            faults.append(f"has {self.activation} '{activation}'{near}; known: {', '.join(self.activations)}")
        for name, allowed in {**ONLY, **self.only}.items():
            if name in fields and fields[name] not in allowed:
                faults.append(f"has {name} {fields[name]!r}; only {allowed[0]!r} can be expressed")
        if faults:
            raise CheckpointError(f"config.json of a {self.name} model " + "; it ".join(faults))
        body = self.read(fields)
        return ModelConfig(
            kind=architecture.kind,
            body=body,
            special={
                ours: fields[name] for ours, name in SPECIAL.items() if isinstance(fields.get(name), int)
            },
            **({} if architecture.kind not in (*ROWS, *TOKENS) else _outputs(fields, architecture.kind)),
            **architecture.settings(fields, body),
        )

    def table(self, config: ModelConfig, architecture: Architecture) -> list[Rule]:
        """All rules of one model: the body's under its prefixes, and the head's."""
        body = within(self.body(config), architecture.prefix, architecture.inside)
        return [*architecture.head(config), *body]

    def architecture(self, kind: Kind) -> str:
        """The name of the class that is of this kind."""
        for name, architecture in self.architectures.items():
            if architecture.kind == kind:
                return name
        known = sorted({architecture.kind for architecture in self.architectures.values()})
        raise CheckpointError(f"{self.name} has no model of kind '{kind}'; it has: {', '.join(known)}")

    def fields(self, config: ModelConfig) -> dict[str, Any]:
        """The config.json of a model, which `config` reads back the same.

        Raises CheckpointError naming the fields that this family cannot express.
        """
        name = self.architecture(config.kind)
        written = {
            "architectures": [name],
            "model_type": self.name,
            "dtype": "float32",
            "tie_word_embeddings": config.tied,
            **{SPECIAL[role]: token for role, token in config.special.items()},
            **_sizes(config.body, self.sizes),
            self.activation: self._foreign(config.body.block.activation),
            **self.write(config),
        }
        if config.kind in (*ROWS, *TOKENS) and config.kind not in ("choice", "relation"):
            labels = config.labels or tuple(f"LABEL_{i}" for i in range(config.num_outputs))
            written["id2label"] = {str(i): label for i, label in enumerate(labels)}
            written["label2id"] = {label: i for i, label in enumerate(labels)}
        back = self.config(written, self.architectures[name])
        if lost := list(_differences(_function(config), _function(back))):
            raise CheckpointError(f"{self.name} cannot express this model: " + "; ".join(lost))
        return written

    def _foreign(self, activation: str) -> str:
        for theirs, ours in self.activations.items():
            if ours == activation:
                return theirs
        raise CheckpointError(f"{self.name} has no activation '{activation}'")


def read_sizes(fields: Fields, names: Mapping[str, str], **more: Any) -> Sizes:
    """The sizes that stand in a config.json under these names, and those that are worked out."""
    return Sizes(**{**{ours: fields[theirs] for theirs, ours in names.items()}, **more})


def always(head: Sequence[Rule]) -> Callable[[ModelConfig], Sequence[Rule]]:
    """The same table whatever the configuration."""
    return lambda config: head


def output(config: ModelConfig, words: str) -> list[Rule]:
    """The output matrix: the word vectors again, stored or not, or a tensor of its own."""
    return [Tied(OUTPUT, words)] if config.tied else [Same(OUTPUT, "head.linear.weight")]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _sizes(config: BackboneConfig, names: Mapping[str, str]) -> dict[str, Any]:
    known = {**asdict(config.embedding), **asdict(config.block), "num_layers": config.num_layers}
    return {theirs: known[ours] for theirs, ours in names.items()}


def _outputs(fields: Fields, kind: Kind) -> dict[str, Any]:
    """How many outputs a head over rows or tokens has, and their names if they have any."""
    if kind in ("choice", "relation"):
        return {"num_outputs": 1 if kind == "choice" else 2}
    names = fields.get("id2label") or {}
    labels = tuple(str(names[key]) for key in sorted(names, key=int))
    count = len(labels) or fields.get("num_labels", 2)
    return {
        "num_outputs": count,
        "labels": () if labels == tuple(f"LABEL_{i}" for i in range(count)) else labels,
    }


def _function(config: ModelConfig) -> dict[str, Any]:
    """What a model computes: without what only training or a reader of its outputs looks at."""

    def quiet(body: BackboneConfig) -> BackboneConfig:
        block = replace(body.block, dropout=0.0, attention_dropout=0.0, activation_dropout=0.0)
        return replace(body, block=block, embedding=replace(body.embedding, dropout=0.0))

    decoder = None if config.decoder is None else quiet(config.decoder)
    silent = replace(config, body=quiet(config.body), decoder=decoder, dropout=0.0)
    return replace(silent, labels=(), special={}).to_dict()


def _differences(wanted: Mapping[str, Any], got: Mapping[str, Any], path: str = "") -> Iterable[str]:
    for name, value in wanted.items():
        other = got.get(name) if isinstance(got, Mapping) else None
        if isinstance(value, Mapping):
            yield from _differences(value, other or {}, f"{path}{name}.")
        elif value != other:
            yield f"{path}{name} is {value!r}, not {other!r}"
