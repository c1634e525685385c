"""How numbers stand in a sentence: the same wording wherever something is told."""

from __future__ import annotations


def count(number: float, noun: str, form: str = ",") -> str:
    """`1 text`, `1,234 texts`; `form` is how the number is written: of epochs ".3g", for example."""
    return f"{number:{form}} {noun}{'' if number == 1 else 's'}"
