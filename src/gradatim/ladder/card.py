"""The model card in Markdown: what the model is for, what it learned from, how good it is, what it costs."""

from __future__ import annotations

from typing import Any

from gradatim.ladder.figures import metric_name, quality, seconds, short, span, thousands
from gradatim.ladder.records import Story
from gradatim.ladder.report.answer import answer, limits
from gradatim.ladder.report.template import load_template
from gradatim.wording import count

LISTED = 30  # labels that are spelled out


def model_card(story: Story) -> str:
    """Markdown for the chosen model, or for the nearest if nothing fits (Mitchell et al. 2019)."""
    says = (answer, limits, count, metric_name, quality, seconds, short, span, thousands)
    return load_template("card.md", finalize=_plain).render(
        {function.__name__: function for function in says},
        story=story,
        row=story.choice.subject,
        metric=story.metric,
        corpus=story.corpus,
        task=story.corpus.task,
        LISTED=LISTED,
    )


def _plain(value: Any) -> str:
    """One line that cannot open a heading, a table cell or HTML."""
    return " ".join(str(value).split()).replace("<", "&lt;").replace("|", "\\|")
