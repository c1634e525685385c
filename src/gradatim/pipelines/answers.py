"""Question answering as `transformers.pipeline` had it: a question and a context in, spans of the context out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from gradatim.errors import ConfigError, DataError
from gradatim.pipelines.calls import all_read, at_least, text_of, told
from gradatim.pipelines.reader import ReadingPipeline, shared
from gradatim.text.overlap import OverlapEncoder
from gradatim.types import Array, Encoded

MAX_LENGTH = 384  # tokens of question and context in one window, if the model can read as many
LONGEST = 15  # tokens of an answer, of a model that does not say how many
NEVER = -np.inf
LEAST = np.finfo(np.float64).tiny  # a probability that is not zero
Found = dict[str, Any]
NOTHING: Found = {"score": 0.0, "start": 0, "end": 0, "answer": ""}


class QuestionAnswering(ReadingPipeline):
    """The best span for a question, `{"score", "start", "end", "answer"}`, a list of them for a `top_k` above 1.

    A span has at most `max_answer_len` tokens; with `align_to_words` it is widened to whole words. With
    `handle_impossible_answer` an empty answer may be the best. Where neither is given, a file of `gradatim fit` says
    how long answers are, and by how much one must be likelier than none. Of a long context, windows of `max_seq_len`
    tokens share `doc_stride`; a question too long for half a window is read in windows too, unless `max_question_len`
    says how many tokens of it are read: then those beyond are left out, and counted.

    Differs: windows are of equal size, and probabilities are over all tokens of a context, so that spans of different
    windows can be compared; transformers makes those of each window sum to 1.
    """

    def __call__(
        self, inputs: Any = None, context: Any = None, *, question: Any = None, **options: Any
    ) -> Any:
        """A dictionary of question and context or several, or both, perhaps by name, each one or a list."""
        inputs = options.pop("data", options.pop("X", inputs))
        if context is not None and question is None:
            question = inputs
        if question is not None or context is not None:
            inputs = _asked(question, context)
        if isinstance(inputs, list | tuple) and len(inputs) == 1:
            return super().__call__(inputs[0], **options)
        return super().__call__(inputs, **options)

    def answers(
        self,
        inputs: Sequence[Any],
        *,
        top_k: int | None = None,
        topk: int | None = None,
        doc_stride: int | None = None,
        max_answer_len: int | None = None,
        max_seq_len: int | None = None,
        max_question_len: int | None = None,
        handle_impossible_answer: bool | None = None,
        align_to_words: bool = True,
        truncation: Any = None,
    ) -> list[Any]:
        """An answer, or a list of them, for each question."""
        wanted = topk if top_k is None else top_k
        count = 1 if wanted is None else at_least("top_k", wanted, 1)
        longest = self.longest if max_answer_len is None else at_least("max_answer_len", max_answer_len, 1)
        threshold = self.threshold
        if handle_impossible_answer is not None:
            threshold = 0.0 if handle_impossible_answer else None
        pairs = all_read(inputs, _pair)
        questions, contexts = [question for question, _ in pairs], [context for _, context in pairs]
        lost = [0] * len(pairs)
        if max_question_len is not None:
            questions, lost = self._shortened(questions, at_least("max_question_len", max_question_len, 1))
        encoded, cuts = self.asked(
            questions, contexts, max_seq_len=max_seq_len, doc_stride=doc_stride, truncation=truncation
        )
        logits = self.run(encoded)["logits"]
        every = self.found(logits, encoded, contexts, count=count, longest=longest, align=align_to_words)
        answers = []
        for (found, nothing), cut, more in zip(every, cuts, lost, strict=True):
            if threshold is not None:
                likelier = sum(margin(one["score"], nothing) > threshold for one in found)
                found.insert(likelier, {**NOTHING, "score": nothing})
            best = found[:count] or [{**NOTHING}]
            counted = cut if max_question_len is None else more + (cut or 0)
            answers.append(told(best[0] if len(best) == 1 else best, counted))
        return answers

    def _shortened(self, questions: Sequence[str], most: int) -> tuple[list[str], list[int]]:
        """Questions of at most so many tokens, and how many each loses by that."""
        parts = [self.reader.pieces.first_part(question, most) for question in questions]
        self.cut_tokens += sum(lost for _, lost in parts)
        return [part for part, _ in parts], [lost for _, lost in parts]

    @property
    def longest(self) -> int:
        """Tokens of an answer, at most."""
        stated: int = self.reader.decision.get("longest", LONGEST)
        return stated

    @property
    def threshold(self) -> float | None:
        """By how much the logarithm of an answer's probability must exceed that of there being none; None where one is
        always given.
        """
        stated: float | None = self.reader.decision.get("threshold")
        return stated

    def asked(
        self,
        questions: Sequence[str],
        contexts: Sequence[str],
        *,
        max_seq_len: int | None = None,
        doc_stride: int | None = None,
        truncation: Any = None,
    ) -> tuple[Encoded, list[int | None]]:
        """Questions with their contexts as rows."""
        length = stride = None
        if not isinstance(self.reader.encoder, OverlapEncoder):  # which reads whatever there is
            most = MAX_LENGTH if max_seq_len is None else at_least("max_seq_len", max_seq_len, 1)
            length = min(most, self.reader.pieces.max_length)
            stride = shared(length) if doc_stride is None else at_least("doc_stride", doc_stride, 0)
        return self.read(
            questions,
            contexts,
            truncation=truncation,
            max_length=length,
            stride=stride,
            spans=True,
            places=True,
        )

    def found(
        self,
        logits: Array,
        encoded: Encoded,
        contexts: Sequence[str],
        *,
        count: int = 1,
        longest: int | None = None,
        align: bool = True,
    ) -> Iterator[tuple[list[Found], float]]:
        """For each context its spans, the likeliest first, and the probability that there is none."""
        logits = logits.astype(np.float64)
        wanted = 2 * count + 10 if align else count
        for context, rows in zip(contexts, _rows_of(encoded), strict=True):
            spans, nothing = _spans(logits, encoded, rows, wanted, longest or self.longest)
            found = _merged(spans, encoded, rows, context, align=align)
            yield sorted(found, key=lambda one: one["score"], reverse=True), nothing


def margin(score: float, nothing: float) -> float:
    """By how much the logarithm of one probability exceeds that of the other."""
    return float(np.log(max(score, LEAST)) - np.log(max(nothing, LEAST)))


def _spans(
    logits: Array, encoded: Encoded, rows: list[slice], count: int, longest: int
) -> tuple[list[tuple[float, int, int]], float]:
    """The likeliest spans of a context over all its windows, as (probability, first token, last token), and the
    probability that there is none: that of the first token, in the window where it is lowest.

    Probabilities are over the tokens of the context; one that several windows hold has the highest of its logits.
    """
    origins, places = encoded.arrays["origins"], encoded.arrays["places"]
    framed = origins[rows[0].start] == 2  # by a first special token, which stands for no answer
    nulls = [logits[row.start] for row in rows] if framed else [np.full(2, NEVER)]
    null = min(nulls, key=lambda pair: float(pair.sum()))
    own = [row.start + np.flatnonzero(origins[row] == 1) for row in rows]
    inside = np.concatenate(own)
    if not len(inside):
        return [], 1.0
    highest = np.full((places[inside].max() + 2, 2), NEVER)
    np.maximum.at(highest, places[inside], logits[inside])
    highest[-1] = null
    norms = np.logaddexp.reduce(highest, axis=0)
    found: dict[tuple[int, int], tuple[float, int, int]] = {}
    for tokens in own:
        begin, end = np.exp(logits[tokens] - norms).T
        # A row for each first token, a column for each length; -1 for a span that would end behind the last token.
        width = min(longest, len(tokens))
        ends = sliding_window_view(np.pad(end, (0, width - 1)), width)
        there = np.arange(len(tokens))[:, None] + np.arange(width) < len(tokens)
        flat = np.where(there, begin[:, None] * ends, -1.0).ravel()
        most = min(count, flat.size)
        best = np.flatnonzero(flat >= np.partition(flat, -most)[-most])  # to be sorted: few instead of all
        best = best[np.argsort(-flat[best], kind="stable")[:count]]
        for cell in best[flat[best] >= 0].tolist():
            at, more = divmod(cell, width)
            first, last = int(tokens[at]), int(tokens[at + more])
            span = (int(places[first]), int(places[last]))
            found[span] = max(found.get(span, (NEVER, 0, 0)), (float(flat[cell]), first, last))
    spans = sorted(found.values(), key=lambda span: -span[0])[:count]
    return spans, float(np.exp((null - norms).sum()))


def _merged(
    spans: list[tuple[float, int, int]], encoded: Encoded, rows: list[slice], context: str, *, align: bool
) -> list[Found]:
    """Spans as answers; those of one wording are one, with the sum of their probabilities."""
    starts, ends = _word_ends(encoded, rows) if align else (encoded.arrays["starts"], encoded.arrays["ends"])
    units = encoded.arrays["words"] if align else np.arange(len(starts))
    found = dict[str, Found]()
    for score, first, last in spans:
        start, end = int(starts[units[first]]), int(ends[units[last]])
        text = context[start:end]
        start, end = start + len(text) - len(text.lstrip()), end - len(text) + len(text.rstrip())
        text = context[start:end]
        if (known := found.get(text.lower())) is not None:
            known["score"] += score
        else:
            found[text.lower()] = {"score": score, "start": start, "end": end, "answer": text}
    return list(found.values())


def _word_ends(encoded: Encoded, rows: list[slice]) -> tuple[Array, Array]:
    """Where each word of a context begins and ends, whatever windows its pieces are in."""
    arrays = encoded.arrays
    inside = np.concatenate([row.start + np.flatnonzero(arrays["origins"][row] == 1) for row in rows])
    words = arrays["words"][inside]
    size = int(words.max(initial=-1)) + 1
    starts, ends = np.full(size, np.iinfo(np.int64).max), np.zeros(size, dtype=np.int64)
    np.minimum.at(starts, words, arrays["starts"][inside])
    np.maximum.at(ends, words, arrays["ends"][inside])
    return starts, ends


def _rows_of(encoded: Encoded) -> Iterator[list[slice]]:
    """The tokens of the windows of every text."""
    ends = np.cumsum(encoded.arrays["lengths"])
    rows = [
        slice(*row) for row in zip((ends - encoded.arrays["lengths"]).tolist(), ends.tolist(), strict=True)
    ]
    firsts = np.searchsorted(encoded.owners, np.arange(encoded.num_texts + 1)).tolist()
    for first, after in pairwise(firsts):
        yield rows[first:after]


def _asked(question: Any, context: Any) -> list[dict[str, Any]]:
    """Questions and contexts by name: as many of both, or one context for all questions."""
    questions, contexts = (
        list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]
        for given in (question, context)
    )
    if len(contexts) == 1:
        contexts *= len(questions)
    if len(questions) != len(contexts):
        raise ConfigError(
            f"{len(questions)} questions need as many contexts, or one for all, not {len(contexts)}"
        )
    return [{"question": one, "context": other} for one, other in zip(questions, contexts, strict=True)]


def _pair(value: Any) -> tuple[str, str]:
    if not isinstance(value, Mapping) or not {"question", "context"} <= set(value):
        raise DataError(f'a question is asked as {{"question": ..., "context": ...}}, not {value!r:.60}')
    question, context = (text_of(value[name], name) for name in ("question", "context"))
    for name, text in (("question", question), ("context", context)):
        if not text.strip():
            raise DataError(f"the {name} is empty")
    return question, context
