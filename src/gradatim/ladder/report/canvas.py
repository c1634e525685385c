"""Figures without global state, and their SVG with the page's own colours so that it follows dark mode."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Mapping
from typing import Any

from gradatim.errors import MissingExtraError

Figure = Any  # matplotlib.figure.Figure
Palette = Mapping[str, str]

PRINT: Palette = {
    "ink": "#1b2430",
    "muted": "#5a6675",
    "rule": "#d9dee5",
    "accent": "#0b7a6f",
    "dot": "#7d8ea6",
    "shade": "#b4532a",
    "paper": "#ffffff",
}
# Colours that nothing else uses: each becomes the CSS variable of its role.
SENTINELS: Palette = {role: f"#0a0b{i:02x}" for i, role in enumerate(PRINT, start=1)}


def new_figure(width: float, height: float, font_size: float = 10.0) -> Figure:
    """A figure of `width` x `height` inches with an Agg canvas, so that text can be measured."""
    try:
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure as MplFigure
    except ImportError as error:
        raise MissingExtraError("the report", "train") from error
    with mpl.rc_context({"font.size": font_size, "font.family": "DejaVu Sans"}):
        figure = MplFigure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
    return figure


def new_axes(figure: Figure, palette: Palette, xlabel: str, ylabel: str) -> Any:
    """Quiet axes: two spines, a light grid, labels in the palette's ink."""
    axes = figure.add_subplot()
    axes.set_facecolor("none")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(palette["rule"])
    axes.grid(visible=True, color=palette["rule"], linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", colors=palette["muted"], length=0, labelsize=9)
    axes.set_xlabel(xlabel, color=palette["muted"])
    axes.set_ylabel(ylabel, color=palette["muted"])
    return axes


def to_svg(figure: Figure, name: str, alt: str) -> str:
    """Inline SVG with `alt` as its accessible name; `name` keeps its ids apart from other pictures'."""
    import matplotlib as mpl

    text = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": f"gradatim-{name}"}):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    for role, sentinel in SENTINELS.items():
        svg = svg.replace(sentinel, f"var(--{role})")
    used = set(re.findall(r"#([\w-]+)", svg))
    svg = re.sub(r' id="([^"]+)"', lambda found: found[0] if found[1] in used else "", svg)
    svg = re.sub(r' (width|height)="[\d.]+pt"', "", svg, count=2)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{html.escape(alt, quote=True)}" ', 1)


def to_png(figure: Figure, palette: Palette, dots_per_inch: int = 200) -> bytes:
    """PNG bytes on opaque paper."""
    from matplotlib.patheffects import withStroke
    from matplotlib.text import Text

    for text in figure.findobj(Text):  # what the page's style sheet does for the SVG
        text.set_path_effects([withStroke(linewidth=2.5, foreground=palette["paper"], alpha=0.8)])
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=dots_per_inch, facecolor=palette["paper"])
    return data.getvalue()
