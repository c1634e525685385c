"""Writes pipelines.json: what transformers 4.57 answers for tasks that later versions no longer have.

python -m venv v457 && v457/bin/pip install 'transformers==4.57.*' torch && v457/bin/python tests/golden/record.py
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import tiny_folders

CONTEXTS = [
    "Anna lives in Berlin, in a great house.",
    "The film was not very good, and the cat sat on it! Who walked to the garden in Paris?",
]
QUESTIONS = ["Where is Anna?", "Who sat on the film?"]
ASKED = [{"question": q, "context": c} for q, c in zip(QUESTIONS, CONTEXTS, strict=True)]
SOURCES = ["the film was good .", "anna walked to the garden in paris , and the cat sat on the mat ."]
SHORT = {"max_new_tokens": 12}
CASES: list[tuple[str, str, Any, dict[str, Any]]] = [  # task, folder, inputs, options
    ("question-answering", "reader", ASKED[0], {}),
    ("question-answering", "reader", ASKED, {}),
    ("question-answering", "reader", ASKED[:1], {}),
    ("question-answering", "reader", ASKED[1], {"top_k": 4}),
    ("question-answering", "reader", ASKED, {"top_k": 3, "max_answer_len": 2}),
    ("question-answering", "reader", ASKED, {"handle_impossible_answer": True}),
    (
        "question-answering",
        "reader",
        ASKED,
        {"handle_impossible_answer": True, "top_k": 8, "max_answer_len": 1},
    ),
    ("question-answering", "reader", ASKED[0], {"align_to_words": False, "top_k": 3}),
    ("text2text-generation", "writer", SOURCES[0], SHORT),
    ("text2text-generation", "writer", SOURCES, SHORT),
    ("text2text-generation", "writer", SOURCES, {**SHORT, "num_beams": 1}),
    ("text2text-generation", "writer", SOURCES[0], {**SHORT, "num_beams": 3, "num_return_sequences": 3}),
    ("text2text-generation", "writer", SOURCES, {**SHORT, "num_return_sequences": 2}),
    ("text2text-generation", "writer", SOURCES, {**SHORT, "no_repeat_ngram_size": 2, "num_beams": 1}),
    ("text2text-generation", "writer", SOURCES, {**SHORT, "min_length": 9, "early_stopping": "never"}),
    ("text2text-generation", "writer", SOURCES, {**SHORT, "clean_up_tokenization_spaces": True}),
    ("text2text-generation", "writer", SOURCES, {**SHORT, "bad_words_ids": [[4], [9]], "num_beams": 1}),
    ("summarization", "writer", SOURCES[0], SHORT),
    ("summarization", "writer", SOURCES, SHORT),
    ("translation_en_to_fr", "writer", SOURCES, SHORT),
    ("translation_en_to_fr", "writer", SOURCES[0], SHORT),
    ("translation_fr_to_en", "writer", SOURCES[1:], {**SHORT, "num_beams": 2, "length_penalty": 0.3}),
]


def answers() -> list[Any]:
    """Of every case."""
    import transformers

    transformers.logging.set_verbosity_error()
    found = []
    with tempfile.TemporaryDirectory() as root:
        folders = {name: getattr(tiny_folders, name)(Path(root) / name) for name in ("reader", "writer")}
        for task, name, inputs, options in CASES:
            folder = str(folders[name])
            pipeline = transformers.pipeline(task, model=folder, tokenizer=folder, device=-1)
            found.append(pipeline(inputs, **options))
    return found


if __name__ == "__main__":
    lines = ",\n".join(json.dumps(answer, ensure_ascii=False) for answer in answers())
    Path(__file__).with_name("pipelines.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
