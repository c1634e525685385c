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


def new_axes(size: tuple[float, float], palette: Palette, xlabel: str, ylabel: str) -> Any:
    """Quiet axes in a figure of `size` inches: two spines, a light grid, labels in the palette's ink."""
    try:
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure as MplFigure
    except ImportError as error:
        raise MissingExtraError("the report", "train") from error
    with mpl.rc_context({"font.size": 10.0, "font.family": "DejaVu Sans"}):
        axes = FigureCanvasAgg(MplFigure(figsize=size, layout="constrained")).figure.add_subplot()
        axes.set_xlabel(xlabel, color=palette["muted"])
        axes.set_ylabel(ylabel, color=palette["muted"])
    axes.set_facecolor("none")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(palette["rule"])
    axes.grid(visible=True, color=palette["rule"], linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", colors=palette["muted"], length=0, labelsize=9)
    return axes


def log_ticks(axis: Any, subs: tuple[int, ...], spec: str) -> None:
    """Plain numbers at the given steps of a logarithmic axis."""
    from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(StrMethodFormatter(f"{{x:{spec}}}"))


def to_svg(figure: Figure, name: str, alt: str) -> str:
    """Inline SVG with `alt` as its accessible name; `name` keeps its ids apart from other pictures'."""
    import matplotlib as mpl

    text, nothing = io.StringIO(), dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": f"gradatim-{name}"}):
        figure.savefig(text, format="svg", transparent=True, metadata=nothing)
    svg = text.getvalue()
    svg = re.sub(r"<!--.*?-->\s*", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    for role, sentinel in SENTINELS.items():
        svg = svg.replace(sentinel, f"var(--{role})")
    used = set(re.findall(r"#([\w-]+)", svg))
    svg = re.sub(r' id="([^"]+)"', lambda found: found[0] if found[1] in used else "", svg)
    svg = re.sub(r' (width|height)="[\d.]+pt"', "", svg, count=2)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{html.escape(alt)}" ', 1)


def to_png(figure: Figure, palette: Palette) -> bytes:
    """PNG bytes on opaque paper, 200 dots per inch."""
    from matplotlib.patheffects import withStroke
    from matplotlib.text import Text

    for text in figure.findobj(Text):  # what the page's style sheet does for the SVG
        text.set_path_effects([withStroke(linewidth=2.5, foreground=palette["paper"], alpha=0.8)])
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=200, facecolor=palette["paper"])
    return data.getvalue()
