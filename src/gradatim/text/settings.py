"""Settings of an encoder, as they stand in the manifest of an artifact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from gradatim.errors import ConfigError

T = TypeVar("T")


def read_settings(options: type[T], kind: str, settings: Mapping[str, Any]) -> T:
    """The options that were written beside this `kind`; raises ConfigError for another kind or unknown ones."""
    if settings.get("kind") != kind:
        raise ConfigError(f"encoder kind {settings.get('kind')!r} is not '{kind}'")
    try:
        return options(**{name: value for name, value in settings.items() if name != "kind"})
    except TypeError as error:
        raise ConfigError(f"settings of {kind} {dict(settings)} cannot be read: {error}") from None
