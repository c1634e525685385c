"""Model folders, read and written: those of the Hugging Face layout, and our own.

Our own layout is the same three files. Its config.json holds `{"gradatim": 1, ...}` with the fields of
`ModelConfig`, and its tensors bear the names of our modules, tied ones once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, cast

from torch import Tensor, nn

from gradatim.checkpoint import bert, distilbert, gpt, marian, mpnet, roberta, t5, tapas
from gradatim.checkpoint.config import ModelConfig
from gradatim.checkpoint.family import OUTPUT, Architecture, Family
from gradatim.checkpoint.rules import (
    Rule,
    Same,
    Weight,
    copies,
    left_out,
    to_ours,
    to_theirs,
    unwritable,
    weight_names,
)
from gradatim.checkpoint.tensors import read_json, read_tensors, shards, write_files
from gradatim.errors import CheckpointError, ConfigError, did_you_mean
from gradatim.models.backbone import Backbone
from gradatim.models.elmo import ElmoBackbone
from gradatim.models.recurrent import RecurrentBackbone

T = TypeVar("T")
FORMAT = 1  # of our own folders
FAMILIES: Mapping[str, Family] = {
    family.name: family for family in (
        bert.FAMILY, roberta.FAMILY, distilbert.FAMILY, mpnet.FAMILY, gpt.GPT, gpt.GPT2, t5.FAMILY, marian.FAMILY,
        tapas.FAMILY,
    )
}  # fmt: skip
MAX_SHARD_BYTES = 5_000_000_000
TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.txt",
    "vocab.json", "merges.txt", "spiece.model", "tokenizer.model", "source.spm", "target.spm",
    "generation_config.json",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model that was read: what it is, the stored tensors that it has no place for, and keys of its config.json
    that nothing was made of."""

    model: nn.Module
    config: ModelConfig
    left_out: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


def kind_of(folder: Path) -> str:
    """What a folder's model is for, as config.json says; raises CheckpointError for a model that cannot be read."""
    path = folder / "config.json"
    fields = read_json(path)
    if "gradatim" in fields:
        return _own_config(path, fields).kind
    return _architecture(find_family(fields.get("model_type")), fields).kind


def read_model(folder: Path, *, bare: bool = False) -> Checkpoint:
    """The model of a folder, in evaluation mode; raises CheckpointError naming every fault.

    A checkpoint that holds none of its head's tensors is its body alone, whatever config.json says;
    `bare` reads that alone of any foreign one.
    """
    path = folder / "config.json"
    fields = read_json(path)
    if "gradatim" in fields:
        return _filled(_own_config(path, fields), None, read_tensors(folder))
    family = find_family(fields.get("model_type"))
    architecture = family.bare if bare else _architecture(family, fields)
    # The norms of the first released checkpoints are called gamma and beta.
    modern = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}
    tensors = read_tensors(folder)
    for old, new in modern.items():
        tensors = {name.replace(old, new): tensor for name, tensor in tensors.items()}
    try:
        checkpoint = _foreign(family, architecture, fields, tensors)
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from error
    return replace(checkpoint, unread=family.unread(fields))


def load_backbone(folder: Path) -> Backbone:
    """The Transformer of a folder's model, encoder or causal, whatever head stands on it; raises CheckpointError."""
    body = load_body(folder)
    if not isinstance(body, Backbone):
        raise CheckpointError(f"{folder} holds a {type(body).__name__}, and a Transformer is needed")
    return body


def load_body(folder: Path) -> Backbone | RecurrentBackbone:
    """The body of a folder's model, whatever head stands on it; raises CheckpointError for one of another kind."""
    return cast(
        Backbone | RecurrentBackbone, _body(folder, Backbone | RecurrentBackbone, "that could be fine-tuned")
    )


def load_elmo(folder: Path) -> ElmoBackbone:
    """The same of an ELMo."""
    return cast(ElmoBackbone, _body(folder, ElmoBackbone, "that reads letters in both directions"))


def _body(folder: Path, kind: type[nn.Module] | UnionType, what: str) -> nn.Module:
    model = read_model(folder, bare=True).model
    for body in (model, getattr(model, "encoder", None), getattr(model, "body", None)):
        if isinstance(body, kind):
            return body
    raise CheckpointError(f"{folder} holds a {type(model).__name__}, which has no body {what}")


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
    `tokenizer` is a folder whose tokenizer files come along. No file appears before
    all are on disk, config.json last.
    Raises CheckpointError, before anything is written, if the family cannot express the model.
    """
    config = config or ModelConfig.of(model)
    weights = {name: parameter.detach() for name, parameter in model.named_parameters()}
    fields: dict[str, Any] = {"gradatim": FORMAT, **config.to_dict()}
    if family is not None:
        known = find_family(family)
        fields = known.fields(config)
        fields["dtype"] = str(next(iter(weights.values())).dtype).removeprefix("torch.")
        (name,) = fields["architectures"]
        rules = known.table(config, known.architectures[name])
        if lost := unwritable(weights, rules):
            raise CheckpointError(f"a {name} has no {', '.join(lost)}, and this model's is not zero")
        weights = to_theirs(weights, rules)

    def files() -> Iterator[tuple[str, bytes]]:
        yield "config.json", json.dumps(fields, indent=2, ensure_ascii=False).encode()
        yield from _tokenizer_files(tokenizer)
        yield from shards(weights, max_shard_bytes)

    write_files(folder, files())


def find_family(name: Any) -> Family:
    """The family of a `model_type`; raises CheckpointError with the known ones."""
    return _known("model_type", name, FAMILIES)


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


def _known(what: str, name: Any, known: Mapping[str, T]) -> T:
    if not isinstance(name, str) or name not in known:
        near = did_you_mean(str(name), known)
        raise CheckpointError(f"{what} '{name}' is not supported{near}; known: {', '.join(known)}")
    return known[name]


def _architecture(family: Family, fields: Mapping[str, Any]) -> Architecture:
    """The class that config.json names first; the body alone if it names none."""
    names = fields.get("architectures") or []
    if not isinstance(names, list):
        raise CheckpointError(
            f"config.json of a {family.name} model has architectures {names!r}; it must be a list"
        )
    return _known("architecture", names[0], family.architectures) if names else family.bare


def _own_config(path: Path, fields: dict[str, Any]) -> ModelConfig:
    if (version := fields.pop("gradatim")) != FORMAT:
        raise CheckpointError(
            f"{path} has format {version!r}; this version of gradatim reads format {FORMAT}"
        )
    try:
        return ModelConfig.from_dict(fields)
    except (TypeError, ValueError, KeyError, ConfigError) as error:
        raise CheckpointError(f"{path}: {error}") from error


def _foreign(
    family: Family, architecture: Architecture, fields: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> Checkpoint:
    """A checkpoint in a family's layout, whose body may be stored with its prefix or without."""
    config = family.config(fields, architecture)
    prefix = family.prefix if any(name.startswith(family.prefix) for name in tensors) else ""
    rules, outside = family.table(config, architecture, prefix), []
    if config.kind == "body":
        outside = [name for name in tensors if not name.startswith(prefix)]
    elif config.kind != "seq2seq":
        head = [rule for rule in rules if isinstance(rule, Weight) and not rule.ours.startswith("body.")]
        if head and weight_names(head).isdisjoint(tensors):
            return _foreign(family, family.bare, fields, tensors)
    stored = {name: tensor for name, tensor in tensors.items() if name not in outside}
    if any(rule.theirs == OUTPUT for rule in copies(stored, rules)[1]):
        config = replace(config, tied=False)  # though config.json may say that it is
        rules = family.table(config, architecture, prefix)
    return _filled(config, rules, stored, (*outside, *left_out(stored, rules)))


def _filled(
    config: ModelConfig,
    rules: Sequence[Rule] | None,
    stored: Mapping[str, Tensor],
    left: tuple[str, ...] = (),
) -> Checkpoint:
    """A new model with these weights; without `rules` they bear our names."""
    model = config.build()
    shapes = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    rules = [Same(name, name) for name in shapes] if rules is None else rules
    # Not strict: second names of tied tensors are not among the weights, all others were counted.
    model.load_state_dict(to_ours(stored, rules, shapes), strict=False)
    return Checkpoint(model.eval(), config, left)


def _tokenizer_files(folder: Path | None) -> Iterator[tuple[str, bytes]]:
    for name in TOKENIZER_FILES:
        if folder is not None and (folder / name).is_file():
            yield name, (folder / name).read_bytes()
