"""Data in: the catalog of pinned weights and sets, readers, columns, labels and splits.

Nothing heavy is loaded on import: `datasets` and `pyarrow` come in when a table is first read.
"""

from gradatim.cache import cache_folder
from gradatim.data.answered import (
    is_answered,
    is_chosen,
    load_answered,
    load_answered_examples,
    load_chosen,
    load_chosen_examples,
)
from gradatim.data.asked import load_table_questions
from gradatim.data.catalog import entries, fetch, resolve_model
from gradatim.data.corpus import load_corpus, load_examples, load_texts
from gradatim.data.scored import load_scored_examples
from gradatim.data.sentences import is_tagged, load_tagged, load_tagged_examples
from gradatim.data.written import is_parallel, load_written

__all__ = [
    "cache_folder",
    "entries",
    "fetch",
    "is_answered",
    "is_chosen",
    "is_parallel",
    "is_tagged",
    "load_answered",
    "load_answered_examples",
    "load_chosen",
    "load_chosen_examples",
    "load_corpus",
    "load_examples",
    "load_scored_examples",
    "load_table_questions",
    "load_tagged",
    "load_tagged_examples",
    "load_texts",
    "load_written",
    "resolve_model",
]
