"""Every error a user can cause: each names the file, line or field and says what to change."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from importlib.util import find_spec


class GradatimError(Exception):
    """Base of all errors raised on purpose; the command line prints them without a traceback."""

    exit_code = 2


class ConfigError(GradatimError):
    """A setting is unknown, out of range or contradicts another."""


class DataError(GradatimError):
    """Input data cannot be used as it is: missing file or column, bad bytes, unusable labels."""


class SourceError(GradatimError):
    """Something named in the catalog or on the hub cannot be fetched or has the wrong hash."""


class ArtifactError(GradatimError):
    """A `.gradatim` file is missing, truncated, altered or of another version."""


class CheckpointError(GradatimError):
    """A checkpoint's tensors do not match the model; the message lists every fault at once."""


class BudgetError(GradatimError):
    """No candidate fits the budget; the message names the nearest and what to relax."""

    exit_code = 3


class MissingExtraError(GradatimError):
    """A feature needs an optional dependency that is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f'{feature} needs the "{extra}" extra: pip install "gradatim[{extra}]"'
            + (" (install a CPU build of torch first to avoid the CUDA one)" * (extra == "train"))
        )


def check_sizes(config: object, *fields: str) -> None:
    """Raises ConfigError for a field below 1."""
    for name in fields:
        if (value := getattr(config, name)) < 1:
            raise ConfigError(f"{name} must be at least 1, not {value}")


def check_shares(config: object, *fields: str) -> None:
    """Raises ConfigError for a field that is not a probability below 1."""
    for name in fields:
        if not 0 <= (value := getattr(config, name)) < 1:
            raise ConfigError(f"{name} is a probability in [0, 1), not {value}")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the nearest known word, or an empty string."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean '{near[0]}'?" if near else ""


def need_training(feature: str, *modules: str) -> None:
    """Raises MissingExtraError, naming the extra to install, where torch or one of these modules is missing."""
    if any(find_spec(name) is None for name in ("torch", *modules)):
        raise MissingExtraError(feature, "train")
