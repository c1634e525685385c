"""Labelled text and a budget in; the smallest model that is good enough out.

`gradatim.fit("reviews.csv", max_ms=2)` climbs the ladder and writes the model and a report;
`gradatim.load("model.gradatim")("an unexpected delight")` predicts.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradatim.ladder.fit import fit as fit
    from gradatim.tasks.open import load as load
    from gradatim.tasks.pipeline import pipeline as pipeline

__version__ = "0.1.0"
__all__ = ["__version__", "fit", "load", "pipeline"]

_HOMES = {
    "fit": "gradatim.ladder.fit",
    "load": "gradatim.tasks.open",
    "pipeline": "gradatim.tasks.pipeline",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import gradatim` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'gradatim' has no attribute '{name}'")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
