"""An alignment to look at: a page that needs nothing else, or a picture."""

from __future__ import annotations

import io
from importlib.resources import files
from pathlib import Path

import numpy as np

from gradatim.engine.atomic import atomic_file
from gradatim.errors import MissingExtraError
from gradatim.explain.alignment import Alignment, diagonality, entropy


def write_page(path: Path, source: str, alignment: Alignment) -> None:
    """Write the matrix, and those of all heads, as one HTML file."""
    try:
        from jinja2 import Environment, StrictUndefined
    except ImportError as error:
        raise MissingExtraError("the page of an explanation", "train") from error
    template = (files("gradatim.explain") / "page.html").read_text(encoding="utf-8")
    page = Environment(autoescape=True, undefined=StrictUndefined).from_string(template).render(
        source=source, alignment=alignment, mean=alignment.mean.tolist(),
        count=alignment.heads.shape[0] * alignment.heads.shape[1], entropy=entropy(alignment.mean),
        most=float(np.log2(len(alignment.source))), diagonality=diagonality(alignment.mean),
    )  # fmt: skip
    with atomic_file(path) as handle:
        handle.write(page.encode("utf-8", "xmlcharrefreplace"))


def write_picture(path: Path, alignment: Alignment) -> None:
    """Write the matrix as a PNG."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("the picture of an explanation", "train") from error
    rows, columns = alignment.mean.shape
    figure = Figure(figsize=(1.8 + 0.36 * columns, 1.4 + 0.32 * rows), layout="constrained")
    axis = figure.add_subplot()
    axis.imshow(alignment.mean, cmap="Blues", vmin=0, aspect="auto")
    axis.set_xticks(range(columns), alignment.source, rotation=60, ha="left", rotation_mode="anchor")
    axis.set_yticks(range(rows), alignment.target)
    axis.xaxis.tick_top()
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    drawn = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(drawn, format="png", dpi=140)
    with atomic_file(path) as handle:
        handle.write(drawn.getvalue())
