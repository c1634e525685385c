"""HTML in small pieces; whatever is text is escaped here."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

SHOWN = 180  # characters of a long text before it is folded
KEPT = 4_000  # characters of a long text in the file at all


def escape(text: str) -> str:
    """Text as HTML, without control characters and without anything a browser would run."""
    return html.escape(re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", "\ufffd", text), quote=True)


def prose(text: str) -> str:
    """One paragraph's text; words in backticks become code, a number stays on the line of its unit."""
    joined = re.sub(r"(?<=\d) (?=%|ms\b|MB\b)", "\u00a0", escape(text))
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", joined)


def paragraph(text: str, css: str = "") -> str:
    """A paragraph of prose."""
    return f"<p{_class(css)}>{prose(text)}</p>"


def section(name: str, title: str, *parts: str) -> str:
    """A titled part of the page; nothing at all if it has no content."""
    body = "\n".join(part for part in parts if part)
    return f'<section id="{name}">\n<h2>{escape(title)}</h2>\n{body}\n</section>' if body else ""


def table(
    headers: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    caption: str,
    css: str = "",
    picked: Sequence[bool] = (),
) -> str:
    """A table that scrolls sideways on narrow screens; cells are HTML, headers and caption are text.

    A cell that is a whole `<td ...>` element keeps its own attributes; the first of a row is its header.
    """
    head = "".join(f'<th scope="col">{escape(header)}</th>' for header in headers)
    lines = []
    for i, (first, *rest) in enumerate(rows):
        cells = "".join(cell if cell.startswith("<td") else f"<td>{cell}</td>" for cell in rest)
        style = _class("pick") if i < len(picked) and picked[i] else ""
        lines.append(f'<tr{style}><th scope="row">{first}</th>{cells}</tr>')
    body = "\n".join(lines)
    return (
        f"<figure>\n<figcaption>{prose(caption)}</figcaption>\n"
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}">\n'
        f"<table{_class(css)}>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div></figure>"
    )


def beside(words: str, picture: str) -> str:
    """Words to the left of a small picture where there is room, above it on a phone."""
    return f'<div class="beside">\n<div>{words}</div>\n{picture}\n</div>'


def cell(text: str, name: str = "") -> str:
    """A cell of words; `name` is shown before them on a phone, where such tables are stacked."""
    return f'<td class="left" data-name="{escape(name)}">{escape(text)}</td>'


def figure(picture: str, caption: str, css: str = "") -> str:
    """A picture with its caption."""
    return f"<figure{_class(css)}>\n{picture}\n<figcaption>{prose(caption)}</figcaption>\n</figure>"


def bar(share: float, label: str) -> str:
    """A cell with a horizontal bar of `share` (0 to 1) of its width, and its figure."""
    width = 100 * min(max(share, 0.0), 1.0)
    return f'<td class="bar"><span style="--share:{width:.1f}%">{escape(label)}</span></td>'


def quoted(text: str, pair: str | None = None) -> str:
    """A cell with an example; a long one is folded and opens on a click."""
    parts = [_folded(text)] if pair is None else [_folded(text), _folded(pair)]
    return f'<td class="text" dir="auto">{"<hr>".join(parts)}</td>'


def _folded(text: str) -> str:
    if len(text) <= SHOWN:
        return escape(text) or "<i>(empty)</i>"
    left = f" … ({len(text) - KEPT:,} more characters)" if len(text) > KEPT else ""
    start = text[:SHOWN].rsplit(None, 1)[0] or text[:SHOWN]
    return f"<details><summary>{escape(start)} …</summary><div>{escape(text[:KEPT])}{left}</div></details>"


def _class(css: str) -> str:
    return f' class="{css}"' if css else ""
