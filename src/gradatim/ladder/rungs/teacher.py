"""Before the eighth rung, where it is wanted: an encoder larger than anything shipped, to teach the students."""

from __future__ import annotations

from gradatim.ladder.lab import Lab
from gradatim.ladder.rung import Problem
from gradatim.ladder.rungs.finetuned import FinetunedRung


class TeacherRung(FinetunedRung):
    """The encoder that `Settings.teacher` names, fine-tuned: being large, in fewer passes and smaller batches."""

    name = "teacher"
    steps = 900
    batch_size = 16
    probed = False

    def lab(self, problem: Problem) -> Lab:
        return Lab.of(problem, problem.settings.teacher)
