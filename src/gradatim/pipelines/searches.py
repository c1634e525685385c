"""A search by the names that transformers has for its settings."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from numbers import Real
from typing import Any

from gradatim.decode.search import Search
from gradatim.errors import ConfigError
from gradatim.pipelines.calls import at_least, true_or_false

# Theirs -> ours, where the value is the same.
NAMES = {
    "num_beams": "beams", "num_return_sequences": "best", "do_sample": "sample", "temperature": "temperature",
    "top_k": "top_k", "top_p": "top_p", "repetition_penalty": "repetition", "no_repeat_ngram_size": "no_repeat",
    "length_penalty": "length_penalty", "min_length": "min_length", "seed": "seed",
}  # fmt: skip
WHOLE = {  # settings that are whole numbers, and the least of each
    "num_beams": 1, "num_return_sequences": 1, "top_k": 0, "no_repeat_ngram_size": 0, "min_length": 0, "seed": 0,
    "max_length": 0, "max_new_tokens": 1, "min_new_tokens": 0,
}  # fmt: skip
REAL = ("temperature", "top_p", "repetition_penalty", "length_penalty")
LENGTHS = ("max_length", "max_new_tokens", "min_new_tokens")
OPTIONS = (*NAMES, *LENGTHS, "early_stopping", "bad_words_ids", "eos_token_id")
NEUTRAL: tuple[Any, ...] = (None, False, 0, 1, "", [], {})  # settings that say: as it would be without
SILENT = (  # others that change no text
    "transformers_version", "_from_model_config", "use_cache", "return_dict_in_generate", "prefix", "output_scores",
    "output_attentions", "output_hidden_states", "bos_token_id", "pad_token_id", "decoder_start_token_id",
    "forced_eos_token_id", "renormalize_logits",
)  # fmt: skip
STOPS = {True: "first", False: "likely", None: "likely", "never": "sure"}


def folder_settings(said: Mapping[str, Any]) -> dict[str, Any]:
    """What a model's folder says of a search, as far as it is known here; a warning names what is not."""
    lost = [
        f"{name} {value!r:.40}"
        for name, value in said.items()
        if name not in (*OPTIONS, *SILENT) and (value is True or value not in NEUTRAL)
    ]
    if lost:
        logging.getLogger("gradatim").warning(
            "the model's generation_config.json asks for what is not done here: %s", ", ".join(lost)
        )
    return {name: value for name, value in said.items() if name in OPTIONS}


def merged(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings over those that a model or a task begins with.

    A `max_length` is not outdone by a `max_new_tokens` that nobody asked for.

    Differs: transformers 4.57 lets its own 256 new tokens win over the `max_length` of a call.
    """
    kept = {name: value for name, value in defaults.items() if name in OPTIONS and value is not None}
    if {"max_length", "max_new_tokens"} & given.keys():
        kept = {name: value for name, value in kept.items() if name not in ("max_length", "max_new_tokens")}
    if given.get("do_sample") and "num_beams" not in given:
        kept.pop("num_beams", None)
    return {**kept, **{name: value for name, value in given.items() if value is not None}}


def to_search(settings: Mapping[str, Any], *, end: int, read: int) -> Search:
    """The search of these settings; `read` tokens, the prompt or the one that starts a decoder, count as written in
    `max_length` and `min_length`. Raises ConfigError.
    """
    for name, least in WHOLE.items():
        if name in settings:
            at_least(name, settings[name], least)
    true_or_false("do_sample", settings.get("do_sample"))
    for name in REAL:
        if isinstance(value := settings.get(name, 1.0), bool) or not isinstance(value, Real):
            raise ConfigError(f"{name} must be a number, not {value!r}")
    fields: dict[str, Any] = {NAMES[name]: value for name, value in settings.items() if name in NAMES}
    if not fields.get("sample") and fields.get("temperature") == 0:
        del fields["temperature"]  # nothing is drawn: the likeliest, which it asks for
    length = settings.get("max_new_tokens")
    if length is None:
        length = settings["max_length"] - read
        if length < 1:
            raise ConfigError(
                f"max_length {settings['max_length']} leaves nothing to write after {read} tokens"
            )
    # Ours counts a token before those that are written.
    fields["min_length"] = max(0, fields.get("min_length", 0) + 1 - read)
    if "min_new_tokens" in settings:
        fields["min_length"] = settings["min_new_tokens"] + 1
    if fields["min_length"] > length + 1:
        logging.getLogger("gradatim").warning(
            "at least %d new tokens are asked for and at most %d: that many are written",
            fields["min_length"] - 1,
            length,
        )
        fields["min_length"] = length + 1  # no end is written at all
    stop = settings.get("early_stopping")
    if stop not in STOPS:
        raise ConfigError(f"early_stopping is True, False or 'never', not {stop!r}")
    count, beams = fields.get("best", 1), fields.get("beams", 1)
    if fields.get("sample"):
        fields["best"] = 1  # of every draw
    elif count > beams:
        raise ConfigError(
            f"{count} texts of {beams} num_beams: draw them with do_sample, or search with more beams"
        )
    end = settings.get("eos_token_id", end)
    if not isinstance(end, int):
        raise ConfigError(f"eos_token_id is one token, not {end!r}")
    return Search(
        end=end, max_length=length, stop=STOPS[stop],  # type: ignore[arg-type]
        banned=tuple(_single(words) for words in settings.get("bad_words_ids") or ()), **fields,
    )  # fmt: skip


def _single(words: Any) -> int:
    if not isinstance(words, list | tuple) or len(words) != 1 or not isinstance(words[0], int):
        raise ConfigError(f"bad_words_ids may hold single tokens, not runs of them: {words!r}")
    return words[0]
