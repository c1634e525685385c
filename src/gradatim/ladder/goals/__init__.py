"""What a ladder is climbed for: a file for each kind of answer."""

from gradatim.ladder.rung import Goal
from gradatim.types import Task


def goal_of(task: Task) -> Goal:
    """The goal of a task."""
    if task.writes:
        from gradatim.ladder.goals.texts import TextGoal

        return TextGoal()
    if task.kind == "tagging":
        from gradatim.ladder.goals.tags import TagGoal

        return TagGoal()
    if task.kind == "span":
        from gradatim.ladder.goals.spans import SpanGoal

        return SpanGoal()
    if task.kind == "choice":
        from gradatim.ladder.goals.choices import ChoiceGoal

        return ChoiceGoal()
    from gradatim.ladder.goals.labels import LabelGoal

    return LabelGoal()
