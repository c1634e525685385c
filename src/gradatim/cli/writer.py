"""What the commands that write texts share: their model argument, and printing while a text comes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

Model = Annotated[Path, typer.Argument(help="A .gradatim or .arpa file, or a folder of `gradatim train`.")]


def print_pieces(pieces: Iterable[str]) -> None:
    """Print a text while it comes."""
    for piece in pieces:
        print(piece, end="", flush=True)
    print(flush=True)
