"""Whether what a command needs is installed: said in one line, before anything heavy is imported."""

from __future__ import annotations

from importlib.util import find_spec

from gradatim.errors import MissingExtraError


def need_training(command: str, *modules: str) -> None:
    """Raises MissingExtraError, naming the extra to install, where torch or one of these modules is missing."""
    if any(find_spec(name) is None for name in ("torch", *modules)):
        raise MissingExtraError(command, "train")
