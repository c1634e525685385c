"""Lists and objects that stand in a cell as text: written as JSON, or by Python as data frames do."""

from __future__ import annotations

import ast
import json
from contextlib import suppress
from typing import Any


def read_literal(cell: Any) -> Any:
    """The list or object that a text writes out; anything else as it is."""
    text = cell.strip() if isinstance(cell, str) else ""
    if (text[:1], text[-1:]) not in (("[", "]"), ("{", "}")):
        return cell
    for read in (json.loads, ast.literal_eval):
        with suppress(ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            found = read(text)
            return found if isinstance(found, list | dict) else cell
    return cell
