"""What the report shows of a model that writes: examples with alignments, and its worst texts."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradatim.ladder.figures import metric_name
from gradatim.ladder.records import Story
from gradatim.pipelines.overlap import signatures

WORST = 20


def findings(story: Story) -> dict[str, Any]:
    """What the sections show, and the titles of those that have something to say."""
    evidence, dev = story.evidence, story.corpus.dev
    worst = np.argsort(evidence.quality, kind="stable")[:WORST].tolist()
    return {
        "kind": "texts",
        "learned_from": "texts with what becomes of them",
        "sections": "texts.html",
        "titles": {
            "examples": "What it writes" * bool(evidence.aligned),
            "length": "Short texts and long texts",
            "measures": "By every measure",
            "mistakes": "The worst texts",
        },
        "scored": [
            (metric_name(name), value) for name, value in story.choice.subject.measurement.extra.items()
        ],
        "signatures": signatures(),
        "aligned": list(zip(evidence.aligned, evidence.alignments, strict=True)),
        "worst": [
            (int(row), dev.texts[row], dev.targets[row], evidence.written[row], evidence.quality[row])
            for row in worst
        ],
    }
