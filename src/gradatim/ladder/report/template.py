"""The templates of this folder, and how words become HTML."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from gradatim.errors import MissingExtraError

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup


def load_template(name: str, **settings: Any) -> Template:
    """A template with the filters `prose` and `sentence`; what it asks for and does not get is an error."""
    try:
        import jinja2
    except ImportError as error:
        raise MissingExtraError("the report", "train") from error
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("gradatim.ladder", "report"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **settings,
    )
    environment.filters |= {"prose": prose, "sentence": sentence}
    return environment.get_template(name)


def prose(text: str) -> Markup:
    """Words as HTML: those in backticks become code, a number stays on the line of its unit."""
    from markupsafe import Markup, escape

    joined = re.sub(r"(?<=\d) (?=%|ms\b|MB\b)", "\u00a0", str(escape(text)))
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", joined))


def sentence(words: str) -> str:
    """With a capital letter and a full stop; a candidate's name keeps its own spelling."""
    start, _, rest = words.partition(" ")
    start = start.capitalize() if start.isalpha() and start.islower() else start
    return f"{start} {rest}".strip().rstrip(".") + "."
