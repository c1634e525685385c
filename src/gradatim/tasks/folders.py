"""Models of folders, ours or of Hugging Face, run by torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradatim.errors import ConfigError, need_training

if TYPE_CHECKING:
    from gradatim.checkpoint.config import ModelConfig
    from gradatim.models.language import LanguageModel
    from gradatim.pipelines.language import LanguagePipeline
    from gradatim.pipelines.reader import Reader
    from gradatim.pipelines.text_to_text import TextToText

LONGEST = 512  # tokens of a text read at once by a model that sets no limit: longer ones are read in parts
MASKS = ("[MASK]", "<mask>")  # what tokenizers call it


def open_reader(folder: Path, *, bare: bool = False) -> Reader:
    """The model of a folder that reads, with its encoder; `bare`: its body alone."""
    from gradatim.checkpoint.folder import load_body, read_model, tokenizer_json
    from gradatim.checkpoint.tensors import read_json
    from gradatim.models.encoders import encoder_for
    from gradatim.models.session import TorchSession
    from gradatim.pipelines.reader import Reader, shared
    from gradatim.text.grids import GridEncoder

    labels: tuple[str, ...] = ()
    kind = "body"
    if bare:
        model: Any = load_body(folder).eval()
        config = model.config
    else:
        read = read_model(folder)
        model, kind, config = read.model, read.config.kind, read.config.body
        labels = read.config.labels or tuple(f"LABEL_{i}" for i in range(read.config.num_outputs))
    fields = read_json(folder / "config.json")
    number = "gradatim" in fields and kind == "classification" and len(labels) == 1
    problem = fields.get("problem_type") or "regression" * number
    told = _told(folder)
    length = _readable(told, config.longest)
    tokenizer = tokenizer_json(folder)
    pieces = encoder_for(config, tokenizer, max_length=length, stride=shared(length))
    grids = grid = None
    if kind == "table" and (grid := read.config.grid) is not None:
        labels = read.config.labels
        grids = GridEncoder(pieces, read.config.transformer.embedding.marks, grid)
    return Reader(
        kind=kind, session=TorchSession(model), encoder=pieces, labels=labels,
        problem=str(problem), tokenizer=tokenizer,
        mask=_mask(told.get("mask_token"), pieces.tokenizer), cleans=bool(told.get("clean_up_tokenization_spaces")),
        grids=grids, grid=grid,
    )  # fmt: skip


def folder_writer(folder: Path, threads: int | None = None) -> TextToText:
    """The model of a folder that writes texts from texts."""
    need_training("a model folder")
    import torch

    from gradatim.models.stepper import TorchStepper
    from gradatim.pipelines.text_to_text import TextToText
    from gradatim.text.pieces import PieceEncoder

    if threads is not None:
        torch.set_num_threads(threads)
    model, tokenizer, settings = read_writer(folder)
    pieces = PieceEncoder(tokenizer, max_length=settings["max_length"])
    stepper = TorchStepper(model, start=settings["start"])
    more = {name: settings[name] for name in ("end", "longest", "prefix")}
    return TextToText(stepper, pieces, tokenizer, **more)


def read_writer(folder: Path) -> tuple[Any, str, dict[str, Any]]:
    """The model of a folder, its tokenizer, and the settings of the file that it becomes."""
    from gradatim.checkpoint.folder import read_model, tokenizer_json

    read = read_model(folder)
    config = read.config
    if config.kind != "seq2seq" or config.decoder is None:
        raise ConfigError(
            f"{folder} holds a model of kind '{config.kind}', none that writes a text from another"
        )
    start, end = _special(folder, config, "start", "eos")
    settings = {
        "max_length": _readable(_told(folder), config.body.longest), "start": start, "end": end,
        "longest": config.decoder.longest, "prefix": config.prefix,
    }  # fmt: skip
    return read.model, tokenizer_json(folder), settings


def folder_language(folder: Path) -> LanguagePipeline:
    """The language model of a folder."""
    need_training("a model folder")
    from gradatim.models.scorer import TorchLanguage
    from gradatim.pipelines.causal import CausalLanguage
    from gradatim.pipelines.language import LanguagePipeline

    model, tokenizer, end = read_network(folder)
    return LanguagePipeline(CausalLanguage(TorchLanguage(model), tokenizer, end=end))


def read_network(folder: Path) -> tuple[LanguageModel, str, int]:
    """The language model of a folder, its tokenizer, and the token that ends a text."""
    from gradatim.checkpoint.folder import read_model, tokenizer_json
    from gradatim.models.language import LanguageModel

    read = read_model(folder)
    if read.config.kind != "causal" or not isinstance(read.model, LanguageModel):
        raise ConfigError(
            f"{folder} holds a model of kind '{read.config.kind}', none that predicts the next token"
        )
    [end] = _special(folder, read.config, "eos")
    return read.model, tokenizer_json(folder), end


def _special(folder: Path, config: ModelConfig, *roles: str) -> list[int]:
    """The tokens that begin or end a text; raises ConfigError for one that is not named or that the model lacks."""
    if missing := set(roles) - config.special.keys():
        raise ConfigError(f"{folder}: config.json names no {' and '.join(sorted(missing))} in 'special'")
    words = (config.decoder or config.body).vocab_size
    for role in roles:
        if not 0 <= (token := config.special[role]) < words:
            raise ConfigError(f"{folder}: config.json has {token} for '{role}', and the model {words} tokens")
    return [config.special[role] for role in roles]


def _told(folder: Path) -> dict[str, Any]:
    """What the files beside a tokenizer say of it."""
    from gradatim.checkpoint.tensors import read_json

    paths = [folder / name for name in ("special_tokens_map.json", "tokenizer_config.json")]
    return {name: value for path in paths if path.is_file() for name, value in read_json(path).items()}


def _readable(told: Mapping[str, Any], longest: int | None) -> int:
    """How many tokens are read at once by a model that can read so many."""
    return int(min(told.get("model_max_length") or LONGEST, longest or LONGEST))


def _mask(named: Any, tokenizer: Any) -> str | None:
    """The token that stands for a missing word: the one that is named, or else one of a known name."""
    names = [named.get("content") if isinstance(named, Mapping) else named, *MASKS]
    return next((name for name in names if name and tokenizer.token_to_id(name) is not None), None)
