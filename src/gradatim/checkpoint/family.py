"""What a family of foreign checkpoints is: the fields of its config.json, and the tensor tables of its models."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from gradatim.checkpoint.config import Kind, ModelConfig
from gradatim.checkpoint.rules import Rule, Same, Tied, within, without
from gradatim.checkpoint.setting import Record, Setting, is_a
from gradatim.errors import CheckpointError
from gradatim.models.backbone import BackboneConfig
from gradatim.models.presets import Sizes, decoder

SPECIAL = {
    "pad": "pad_token_id", "bos": "bos_token_id", "eos": "eos_token_id", "start": "decoder_start_token_id"
}  # fmt: skip
OUTPUT = "lm_head.weight"
REFUSED = ("quantization_config", "pruned_heads")
# Keys that change nothing of what a model computes: of training, of writing, of the reference's own affairs.
NEUTRAL = {
    "_name_or_path", "add_bias_logits", "architectures", "chunk_size_feed_forward", "classif_dropout",
    "classifier_dropout", "cross_attention_hidden_size", "decoder_layerdrop", "dense_act_fn",
    "directionality", "dtype", "encoder_layerdrop", "extra_pos_embeddings", "finetuning_task",
    "force_bos_token_to_be_generated", "gradient_checkpointing", "id2label", "init_std", "initializer_factor",
    "initializer_range", "is_encoder_decoder", "is_gated_act", "label2id", "language", "layerdrop",
    "model_type", "n_ctx", "n_special", "num_hidden_layers", "num_labels", "output_attentions",
    "output_hidden_states", "output_past", "pooler_fc_size", "pooler_num_attention_heads",
    "pooler_num_fc_layers", "pooler_size_per_head", "pooler_type", "predict_special_tokens", "prefix",
    "problem_type", "qa_dropout", "reorder_and_upcast_attn", "return_dict", "sinusoidal_pos_embds",
    "static_position_embeddings", "summary_activation", "summary_first_dropout", "summary_proj_to_labels",
    "summary_type", "summary_use_proj", "task_specific_params", "tf_legacy_loss", "tie_encoder_decoder",
    "tie_weights_", "tokenizer_class", "torch_dtype", "torchscript", "transformers_version", "use_bfloat16",
    "use_cache",
    "bad_words_ids", "begin_suppress_tokens", "diversity_penalty", "do_sample", "early_stopping",
    "encoder_no_repeat_ngram_size", "exponential_decay_length_penalty", "forced_bos_token_id",
    "forced_eos_token_id", "length_penalty", "max_length", "min_length", "no_repeat_ngram_size",
    "num_beam_groups", "num_beams", "num_return_sequences", "output_scores", "remove_invalid_values",
    "repetition_penalty", "return_dict_in_generate", "suppress_tokens", "temperature", "top_k", "top_p",
    "typical_p",
}  # fmt: skip
LABELLED = ("classification", "tagging", "span")  # kinds whose outputs config.json counts and names
_ONE = Sizes(vocab_size=1, num_layers=1, width=1, num_heads=1, ffn_width=1)


LABELS = (
    Setting("num_labels", "num_outputs", default=2, least=1),
    Setting("id2label", "labels", default=None, form="names"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """One class of the reference: which of our models it is, and what it adds to the body.

    head      its table, which may depend on the configuration
    settings  with places in `ModelConfig`
    fixed     fields of `ModelConfig` that the class decides
    prefix    before the body's foreign names, unless it is the family's
    """

    kind: Kind
    head: Sequence[Rule] | Callable[[ModelConfig], Sequence[Rule]] = ()
    settings: tuple[Setting, ...] = ()
    fixed: Record = field(default_factory=dict)
    prefix: str | None = None


BARE = Architecture(kind="body")


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A `model_type`: how its config.json and its tensors become ours, and back.

    preset    what all its models have in common
    settings  with places in `BackboneConfig`: of the body, and of a decoder unless its own say otherwise
    only      the one value of a field that can be expressed
    body      the table of the backbone, the encoder of two; its names stand behind `prefix` under a head
    bare      how the body alone is read, from whatever model it stands in
    """

    name: str
    preset: Callable[[Sizes], BackboneConfig]
    settings: tuple[Setting, ...]
    only: dict[str, Any]
    prefix: str
    body: Callable[[ModelConfig], Sequence[Rule]]
    architectures: Mapping[str, Architecture]
    bare: Architecture = BARE

    def config(self, fields: Record, architecture: Architecture) -> ModelConfig:
        """Our record of a config.json; raises CheckpointError with all that cannot be expressed."""
        own = (*architecture.settings, *(LABELS if architecture.kind in LABELLED else ()))
        known = (*own, *self.settings)
        given = {name: value for name, value in fields.items() if value is not None}
        fields = {**{one.theirs: one.default for one in known}, **given}
        if faults := [*self._faults(fields, given, known, architecture)]:
            told = "; it ".join(dict.fromkeys(faults))
            raise CheckpointError(f"config.json of a {self.name} model {told}")
        base = self.preset(_ONE)
        record = {"kind": architecture.kind, **deepcopy(dict(architecture.fixed)), "body": base.to_dict()}
        if architecture.kind == "seq2seq":
            record["decoder"] = decoder(base).to_dict()
        for side in (record[name] for name in ("body", "decoder") if name in record):
            side["block"]["head_width"] = 0  # follows from the width
            for one in self.settings:
                one.put(fields, side)
        for one in own:
            one.put(fields, record)
        record["special"] = {role: given[name] for role, name in SPECIAL.items() if name in given}
        if architecture.kind in LABELLED:
            labels = tuple(record.get("labels", ()))
            record["num_outputs"] = count = len(labels) or record["num_outputs"]
            record["labels"] = () if labels == _unnamed(count) else labels
        return ModelConfig.from_dict(record)

    def _faults(
        self, fields: Record, given: Record, known: Sequence[Setting], architecture: Architecture
    ) -> Iterator[str]:
        """What cannot be expressed of a config.json, of whose fields some are given and the others have defaults."""
        for one in known:
            yield from one.faults(fields)
        only = self.only | ({"is_encoder_decoder": True} if architecture.kind == "seq2seq" else {})
        for name, value in only.items():
            if given.get(name, value) != value:
                yield f"has {name} {given[name]!r}; only {value!r} can be expressed"
        judged = {one.theirs for one in self.settings}
        for name in SPECIAL.values():
            token = given.get(name, 0)
            if name not in judged and not (is_a("number", token) and token >= 0):
                yield f"has {name} {token!r}, which is not the number of one token"
        for name in REFUSED:
            if given.get(name):
                yield f"has {name}, which cannot be expressed"

    def unread(self, fields: Record) -> tuple[str, ...]:
        """The keys of a config.json that no model of this family looks at, and that may mean something."""
        own = {one.theirs for each in self.architectures.values() for one in (*each.settings, *self.settings)}
        return tuple(sorted({*fields} - own - {*self.only, *SPECIAL.values(), *REFUSED} - NEUTRAL))

    def table(self, config: ModelConfig, architecture: Architecture, prefix: str | None = None) -> list[Rule]:
        """All rules of one model, the head's and the body's; a `prefix` is what a file has instead of its own."""
        head = architecture.head(config) if callable(architecture.head) else architecture.head
        if architecture.kind == "body":
            return within([*head, *self.body(config)], prefix or "", "")
        if prefix is None:
            prefix = self.prefix if architecture.prefix is None else architecture.prefix
        body = within(self.body(config), prefix, "encoder." if architecture.kind == "seq2seq" else "body.")
        return [*(head if prefix else without(head, self.prefix)), *body]

    def architecture(self, kind: Kind) -> str:
        """The name of the class that is of this kind."""
        for name, architecture in self.architectures.items():
            if architecture.kind == kind:
                return name
        known = sorted({architecture.kind for architecture in self.architectures.values()})
        raise CheckpointError(f"{self.name} has no model of kind '{kind}'; it has: {', '.join(known)}")

    def fields(self, config: ModelConfig) -> dict[str, Any]:
        """The config.json of a model, which `config` reads back the same.

        Raises CheckpointError naming what this family cannot express.
        """
        name = self.architecture(config.kind)
        if not isinstance(config.body, BackboneConfig):
            raise CheckpointError(f"{self.name} is a Transformer, this model is none")
        architecture, record = self.architectures[name], config.to_dict()
        written = {
            "architectures": [name],
            "model_type": self.name,
            "dtype": "float32",
            "is_encoder_decoder": config.decoder is not None,
            **self.only,
            **{SPECIAL[role]: token for role, token in config.special.items()},
            **{one.theirs: one.take(record) for one in architecture.settings},
            **{one.theirs: one.take(record["body"]) for one in self.settings},
        }
        if config.kind in LABELLED:
            labels = config.labels or _unnamed(config.num_outputs)
            written["id2label"] = {str(i): label for i, label in enumerate(labels)}
            written["label2id"] = {label: i for i, label in enumerate(labels)}
        ours, back = _function(record), _function(self.config(written, architecture).to_dict())
        lost = [f"{at} is {ours[at]!r}, not {back.get(at)!r}" for at in ours if ours[at] != back.get(at)]
        if lost:
            raise CheckpointError(f"{self.name} cannot express this model: " + "; ".join(lost))
        return written


def output(config: ModelConfig, words: str) -> list[Rule]:
    """The output matrix: the word vectors again, stored or not, or a tensor of its own."""
    return [Tied(OUTPUT, words)] if config.tied else [Same(OUTPUT, "head.linear.weight")]


def _unnamed(count: int) -> tuple[str, ...]:
    return tuple(f"LABEL_{i}" for i in range(count))


def _function(record: Record, path: str = "") -> dict[str, Any]:
    """What a model computes, by path: without what only training or a reader of its outputs looks at."""
    flat: dict[str, Any] = {}
    for name, value in record.items():
        if name in ("special", "labels", "some") or name.endswith("dropout"):
            continue
        flat |= _function(value, f"{path}{name}.") if isinstance(value, Mapping) else {path + name: value}
    return flat
