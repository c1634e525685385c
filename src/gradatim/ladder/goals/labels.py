"""Texts to labels: from label frequencies to students of a fine-tuned encoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gradatim.errors import ConfigError, did_you_mean
from gradatim.ladder.evidence import gather_evidence
from gradatim.ladder.intervals import bootstrap
from gradatim.ladder.records import Evidence, Interval, Row, Story
from gradatim.ladder.report.labelled import findings
from gradatim.ladder.rung import Problem, Rung, Settings
from gradatim.ladder.rungs.bag import BagRung
from gradatim.ladder.rungs.bilstm import BiLstmRung
from gradatim.ladder.rungs.elmo import ElmoRung
from gradatim.ladder.rungs.few import FewRung
from gradatim.ladder.rungs.finetuned import FinetunedRung
from gradatim.ladder.rungs.frozen import FrozenRung
from gradatim.ladder.rungs.int8 import Int8Rung
from gradatim.ladder.rungs.linear import LinearRung
from gradatim.ladder.rungs.majority import MajorityRung
from gradatim.ladder.rungs.ngram import NgramRung
from gradatim.ladder.rungs.students import EncoderStudent, LstmStudent, asked_depth
from gradatim.ladder.rungs.teacher import TeacherRung
from gradatim.ladder.rungs.ulmfit import UlmfitRung
from gradatim.pipelines.metrics import METRICS, default_metric, higher_is_better, scores, undefined
from gradatim.types import Arrays, Corpus, Examples, Task

FEW = 64  # training texts a label, on average, up to which labels are few
ENOUGH = 256  # training texts in all from which fine-tuning comes near to contrast or passes it (benchmarks/few.py)
LOPSIDED = (
    0.8  # share of the most frequent label above which accuracy hardly tells a model from that label alone
)
FROM_NOTHING = frozenset({BagRung.name, BiLstmRung.name})  # these learn even what words mean from the labels


class LabelGoal:
    """One label a text, or several."""

    rungs: tuple[Rung, ...] = (
        MajorityRung(),
        NgramRung(),
        LinearRung(),
        BagRung(),
        BiLstmRung(),
        FrozenRung(),
        FewRung(),
        FinetunedRung(),
        UlmfitRung(),
        ElmoRung(),
        TeacherRung(),
        EncoderStudent(None),
        EncoderStudent(3),
        EncoderStudent(2),
        LstmStudent(),
        Int8Rung(),
    )
    makes = "a classifier"
    needs: Mapping[str, tuple[str, str]] = {
        TeacherRung.name: ("teacher", "an encoder"),
        EncoderStudent(None).name: ("teacher", "an encoder"),
        UlmfitRung.name: ("language_model", "a folder of `gradatim train`"),
        ElmoRung.name: ("language_model", "a folder of `gradatim train`"),
    }

    ignores: tuple[str, ...] = ()

    def named(self, name: str) -> Rung | None:
        """Students of any depth."""
        depth = asked_depth(name)
        return EncoderStudent(depth) if depth else None

    def unsuited(self, corpus: Corpus, settings: Settings) -> tuple[frozenset[str], str]:
        """Where labels are few, what would learn all from them, else what is made for few; unless told otherwise."""
        targets = corpus.train.targets
        average = (targets.sum() if corpus.task.multi_label else len(targets)) / len(corpus.task.labels)
        if settings.few is False or (settings.few is None and average > FEW):
            return frozenset({FewRung.name}), ""
        left_out = FROM_NOTHING if len(targets) >= ENOUGH else FROM_NOTHING | {FinetunedRung.name}
        why = "asked for, " if settings.few else ""
        without = ", ".join(rung.name for rung in self.rungs if rung.name in left_out)
        return left_out, f"rungs for few labels ({why}{average:.3g} training texts a label): no {without}"

    def metric(self, corpus: Corpus, asked: str | None) -> tuple[str, str]:
        if asked is None:
            return self._usual(corpus)
        task, chosen_by = corpus.task, [known for known in METRICS if higher_is_better(known)]
        usable = [known for known in chosen_by if not undefined(known, task)]
        if asked in chosen_by and asked not in usable:
            raise ConfigError(
                f"metric '{asked}' is not defined here: {undefined(asked, task)}; usable: {', '.join(usable)}"
            )
        if asked not in usable:
            near = did_you_mean(asked, usable)
            raise ConfigError(f"unknown metric '{asked}'{near}; known: {', '.join(usable)}")
        # Their order is that of the data's own names, of numbers, or of the alphabet, whichever is meant as positive.
        return asked, f"F1 is that of '{task.labels[-1]}', the last of both labels" if asked == "f1" else ""

    def _usual(self, corpus: Corpus) -> tuple[str, str]:
        """That of the task, but not accuracy where a label that most texts have would be right whatever it is asked."""
        usual = default_metric(corpus.task)
        if usual != "accuracy":
            return usual, ""
        counts = np.bincount(corpus.train.targets)
        share = counts.max() / counts.sum()
        if share <= LOPSIDED:
            return usual, ""
        label = corpus.task.labels[counts.argmax()]
        return "macro_f1", (
            f"{share:.0%} of the training texts are '{label}': judged by macro-F1, since a model that says so"
            " of every text would be right as often (--metric accuracy judges by that all the same)"
        )

    def judge(
        self, metric: str, task: Task, examples: Examples, answers: Arrays, *, seed: int = 0
    ) -> Interval:
        said = answers["probabilities"], answers.get("thresholds")
        return bootstrap(metric, task, examples.targets, *said, seed=seed)

    def scores(self, task: Task, examples: Examples, answers: Arrays) -> Mapping[str, float]:
        return scores(task, examples.targets, answers["probabilities"], answers.get("thresholds"))

    def evidence(self, problem: Problem, row: Row) -> Evidence:
        return gather_evidence(problem, row)

    def findings(self, story: Story) -> dict[str, Any]:
        return findings(story)
