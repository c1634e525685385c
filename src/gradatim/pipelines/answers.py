"""Question answering as `transformers.pipeline` had it: a question and a context in, spans of the context out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gradatim.errors import ConfigError, DataError
from gradatim.pipelines.calls import all_read, at_least, text_of, told
from gradatim.pipelines.reader import ReadingPipeline, shared
from gradatim.pipelines.spans import NOTHING, found_spans, margin
from gradatim.text.overlap import OverlapEncoder
from gradatim.types import Encoded

MAX_LENGTH = 384  # tokens of question and context in one window, if the model can read as many
LONGEST = 15  # tokens of an answer, of a model that does not say how many


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
        every = found_spans(logits, encoded, contexts, longest=longest, count=count, align=align_to_words)
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
