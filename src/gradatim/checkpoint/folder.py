"""Model folders, read and written: those of the Hugging Face layout, and our own.

Our own layout is the same three files. Its config.json holds `{"gradatim": 1, ...}` with the fields of
`ModelConfig`, and its tensors bear the names of our modules, tied ones once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gradatim.checkpoint import bert, distilbert, gpt, gpt2, marian, mpnet, roberta, t5
from gradatim.checkpoint.config import ModelConfig
from gradatim.checkpoint.family import OUTPUT, Architecture, Family
from gradatim.checkpoint.rules import Rule, Same, Tied, Weight, left_out, to_ours, to_theirs, weight_names
from gradatim.checkpoint.tensors import read_json, read_tensors, shards, write_files
from gradatim.errors import CheckpointError, ConfigError, did_you_mean
from gradatim.models.backbone import Backbone

FORMAT = 1  # of our own folders
FAMILIES: Mapping[str, Family] = {
    module.FAMILY.name: module.FAMILY for module in (bert, roberta, distilbert, mpnet, gpt, gpt2, t5, marian)
}
MAX_SHARD_BYTES = 5_000_000_000
TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.txt",
    "vocab.json", "merges.txt", "spiece.model", "tokenizer.model", "source.spm", "target.spm",
    "generation_config.json",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model that was read: what it is, and the stored tensors that it has no place for."""

    model: nn.Module
    config: ModelConfig
    left_out: tuple[str, ...] = ()


def read_model(folder: Path) -> Checkpoint:
    """Build the model that a folder describes and fill it; raises CheckpointError naming every fault.

    A checkpoint that holds none of its head's tensors is its body alone, whatever config.json says.
    """
    fields = read_json(folder / "config.json")
    if "gradatim" in fields:
        config = _own_config(folder, fields)
        return _filled(config, None, read_tensors(folder))
    family = find_family(fields.get("model_type"))
    return _foreign(family, _architecture(family, fields), fields, read_tensors(folder))


def load_model(folder: Path) -> nn.Module:
    """The model of a folder, in evaluation mode: a Backbone, LanguageModel, Classifier, Tagger or Seq2Seq."""
    return read_model(folder).model


def load_backbone(folder: Path) -> Backbone:
    """The encoder (or the causal body) of a folder's model, whatever head stands on it."""
    fields = read_json(folder / "config.json")
    if "gradatim" in fields:
        model = read_model(folder).model
        body = model if isinstance(model, Backbone) else getattr(model, "encoder", None) or model.body
    else:
        family = find_family(fields.get("model_type"))
        body = _foreign(family, family.bare, fields, read_tensors(folder)).model
    assert isinstance(body, Backbone)
    return body


def save_model(
    model: nn.Module,
    folder: Path,
    *,
    family: str | None = None,
    config: ModelConfig | None = None,
    tokenizer: Path | None = None,
    max_shard_bytes: int = MAX_SHARD_BYTES,
) -> None:
    """Write a model in the layout of a `family` (see FAMILIES), or in our own.

    `config` adds what a model does not know itself (labels, special tokens, the kind of a head);
    `tokenizer` is a folder whose tokenizer files come along. All files appear together or none does.
    Raises CheckpointError, before anything is written, if the family cannot express the model.
    """
    config = config or ModelConfig.of(model)
    weights = {name: parameter.detach() for name, parameter in model.named_parameters()}
    fields: dict[str, Any] = {"gradatim": FORMAT, **config.to_dict()}
    if family is not None:
        known = find_family(family)
        fields = known.fields(config)
        fields["dtype"] = str(next(iter(weights.values())).dtype).removeprefix("torch.")
        weights = to_theirs(weights, known.table(config, known.architectures[fields["architectures"][0]]))

    def files() -> Iterator[tuple[str, bytes]]:
        yield from shards(weights, max_shard_bytes)
        yield from _tokenizer_files(tokenizer)
        yield "config.json", json.dumps(fields, indent=2, ensure_ascii=False).encode()

    write_files(folder, files())


def find_family(name: Any) -> Family:
    """The family of a `model_type`; raises CheckpointError with the known ones."""
    if name not in FAMILIES:
        near = did_you_mean(str(name), FAMILIES)
        raise CheckpointError(f"model_type '{name}' is not supported{near}; known: {', '.join(FAMILIES)}")
    return FAMILIES[name]


def family_of(config: ModelConfig) -> str:
    """The first family that can express a model; raises CheckpointError with what each one lacks."""
    faults = []
    for name, family in FAMILIES.items():
        try:
            family.fields(config)
        except (CheckpointError, ConfigError) as error:
            faults.append(f"{name}: {str(error).removeprefix(name).strip()}")
            continue
        return name
    raise CheckpointError("no Hugging Face architecture is this model:\n  " + "\n  ".join(faults))


def tokenizer_json(folder: Path) -> str:
    """The tokenizer of a model folder as `tokenizers` JSON text."""
    path = folder / "tokenizer.json"
    if path.is_file():
        return path.read_text(encoding="utf-8")
    vocabulary = folder / "vocab.txt"
    if not vocabulary.is_file():
        raise CheckpointError(f"{folder} has neither tokenizer.json nor vocab.txt; add one of them")
    from tokenizers import BertWordPieceTokenizer

    settings = folder / "tokenizer_config.json"
    lowercase = bool(read_json(settings).get("do_lower_case", True)) if settings.is_file() else True
    return str(BertWordPieceTokenizer(str(vocabulary), lowercase=lowercase).to_str())


def _own_config(folder: Path, fields: Mapping[str, Any]) -> ModelConfig:
    own = {name: value for name, value in fields.items() if name != "gradatim"}
    if fields["gradatim"] != FORMAT:
        raise CheckpointError(
            f"{folder} has format {fields['gradatim']!r}; this version of gradatim reads format {FORMAT}"
        )
    try:
        return ModelConfig.from_dict(own)
    except (TypeError, KeyError, ConfigError) as error:
        raise CheckpointError(f"{folder / 'config.json'}: {error}") from error


def _architecture(family: Family, fields: Mapping[str, Any]) -> Architecture:
    if not (names := fields.get("architectures")):
        return family.bare
    if (name := names[0]) not in family.architectures:
        known = ", ".join(family.architectures)
        near = did_you_mean(name, family.architectures)
        raise CheckpointError(f"architecture '{name}' is not supported{near}; known: {known}")
    return family.architectures[name]


def _foreign(
    family: Family, architecture: Architecture, fields: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> Checkpoint:
    """A checkpoint in a family's layout, its names brought to the form that the family's tables have."""
    config = family.config(fields, architecture)
    stored, outside = _aligned(tensors, family, architecture, config)
    head = weight_names(architecture.head(config))
    if architecture.kind != "seq2seq" and head and not head & set(stored):
        return _foreign(family, family.bare, fields, tensors)
    rules = family.table(config, architecture)
    if any(_output_differs(rule, stored) for rule in rules):
        config = replace(config, tied=False)
        rules = family.table(config, architecture)
    return replace(_filled(config, rules, stored), left_out=(*outside, *left_out(stored, rules)))


def _aligned(
    tensors: Mapping[str, Tensor], family: Family, architecture: Architecture, config: ModelConfig
) -> tuple[dict[str, Tensor], list[str]]:
    """Tensors under the names of the tables, and those that stand outside of a body that is read alone.

    The body of a headed model may be stored with its prefix or without, and the norms of the first
    released checkpoints are called gamma and beta.
    """
    stored = {_modern(name): tensor for name, tensor in tensors.items()}
    prefixed = any(name.startswith(family.prefix) for name in stored)
    if architecture.kind == "body" and prefixed:
        inside = {
            name.removeprefix(family.prefix): tensor
            for name, tensor in stored.items()
            if name.startswith(family.prefix)
        }
        return inside, [name for name in stored if not name.startswith(family.prefix)]
    if architecture.prefix and not prefixed:
        head = {name for rule in architecture.head(config) for name in _theirs(rule)}
        return {n if n in head else architecture.prefix + n: t for n, t in stored.items()}, []
    return stored, []


def _theirs(rule: Rule) -> Sequence[str]:
    return rule.names if isinstance(rule, Weight) else (rule.theirs,)


def _output_differs(rule: Rule, stored: Mapping[str, Tensor]) -> bool:
    """Whether the output matrix is a tensor of its own, though config.json may say that it is tied."""
    if not isinstance(rule, Tied) or rule.theirs != OUTPUT or OUTPUT not in stored or rule.to not in stored:
        return False
    return not torch.equal(stored[OUTPUT], stored[rule.to])


def _filled(config: ModelConfig, rules: Sequence[Rule] | None, stored: Mapping[str, Tensor]) -> Checkpoint:
    """A new model with these weights; without `rules` they bear our names."""
    model = config.build()
    shapes = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    rules = [Same(name, name) for name in shapes] if rules is None else rules
    # Not strict: second names of tied tensors are not among the weights, all others were counted.
    model.load_state_dict(to_ours(stored, rules, shapes), strict=False)
    return Checkpoint(model.eval(), config)


def _tokenizer_files(folder: Path | None) -> Iterator[tuple[str, bytes]]:
    for name in TOKENIZER_FILES:
        if folder is not None and (folder / name).is_file():
            yield name, (folder / name).read_bytes()


def _modern(name: str) -> str:
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
