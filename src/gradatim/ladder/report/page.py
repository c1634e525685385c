"""The report as one HTML file that needs nothing else, and the front as a PNG."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from string import Template

from gradatim.engine.atomic import atomic_file
from gradatim.ladder.records import Story
from gradatim.ladder.report import closer, overview
from gradatim.ladder.report.canvas import PRINT, to_png
from gradatim.ladder.report.front_picture import draw_front
from gradatim.ladder.report.markup import escape


def write_report(path: str | Path, story: Story) -> None:
    """Write the report; an older one at `path` is replaced only when the new one is whole.

    Needs the "train" extra (matplotlib).
    """
    with atomic_file(Path(path)) as handle:
        handle.write(render(story).encode("utf-8", "xmlcharrefreplace"))


def write_front_png(path: str | Path, story: Story) -> None:
    """Write the picture of the front, 1,720 pixels wide."""
    with atomic_file(Path(path)) as handle:
        handle.write(to_png(draw_front(story, PRINT), PRINT))


def render(story: Story) -> str:
    """The whole page as text."""
    sections = [part for part in _sections(story) if part]
    titles = [(found[1], found[2]) for part in sections if (found := re.match(TITLE, part))]
    folder = files("gradatim.ladder.report")
    return Template(folder.joinpath("page.html").read_text("utf-8")).substitute(
        title=escape(f"gradatim: {story.corpus.name}"),
        kicker=escape(story.corpus.name),
        style=folder.joinpath("page.css").read_text("utf-8"),
        answer=overview.headline(story),
        lead=overview.lead(story),
        tiles=overview.tiles(story),
        contents="".join(f'<a href="#{name}">{title}</a>' for name, title in titles),
        sections="\n".join(sections),
    )


TITLE = r'<section id="(\w+)">\s*<h2>(.*?)</h2>'


def _sections(story: Story) -> list[str]:
    parts = [
        overview.front_section(story),
        overview.candidates_section(story),
        overview.purchases_section(story),
    ]
    if story.evidence is not None:
        closer_looks = (
            closer.labels_section,
            closer.calibration_section,
            closer.length_section,
            closer.learning_section,
            closer.mistakes_section,
            closer.suspects_section,
        )
        parts += [look(story, story.evidence) for look in closer_looks]
    return [*parts, overview.manifest_section(story)]
