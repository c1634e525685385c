"""Pictures that commands draw: one way to write them, whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURES = (".png", ".svg", ".pdf")  # what `check_target` lets through
DRAWN = "The picture to write: .png, .svg or .pdf."


def save_picture(figure: Figure, path: Path, **how: Any) -> None:
    """Write a figure in the format that the path's suffix names; `how` goes to matplotlib. Raises DataError."""
    from gradatim.engine.atomic import output_file

    with output_file(path) as handle:
        figure.savefig(handle, format=path.suffix[1:], dpi=150, **how)
