"""How a task is called: with one input or many, in lists or as they come, and with options known by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from inspect import Parameter, signature
from itertools import islice
from typing import Any, TypeVar

from gradatim.errors import ConfigError, DataError, did_you_mean
from gradatim.progress import watched

BATCH = 64  # inputs of a list that are answered together; of what comes by and by, one at a time
# Taken and without effect: nothing is padded but inside a session, and nothing runs beside it.
WITHOUT_EFFECT = frozenset({"padding", "num_workers", "pad_token_id"})
NESTED = ("tokenizer_kwargs", "tokenize_kwargs", "generate_kwargs")  # options in a dictionary
WHOLE = (None, False, "do_not_truncate")  # ways to say that nothing is left out

Given = TypeVar("Given")
Read = TypeVar("Read")


class InputError(DataError):
    """What is wrong with one of the inputs; `number` says with which."""

    def __init__(self, number: int, what: str) -> None:
        super().__init__(f"input {number} (counted from 0): {what}")
        self.number, self.what = number, what


class Pipeline:
    """A task over a model: one input gives one answer, a list a list; any other iterable an iterator of answers, which
    reads no further than it is asked. A list that takes long is answered with a bar on a terminal.

    A subclass says in `answers` what a list of inputs gives; its keywords are the options, which may be set when the
    pipeline is made or with a call. `cut_tokens` counts the tokens left out in all calls: zero unless truncation was
    asked for, and then every answer tells its own. `more` are options that `answers` takes together.
    """

    more: tuple[str, ...] = ()

    def __init__(self, **options: Any) -> None:
        self.cut_tokens = 0
        self.options = self._known(options)

    def __call__(self, inputs: Any, **options: Any) -> Any:
        """Raises ConfigError for an unknown option and DataError for what the task cannot read."""
        options = {**self.options, **self._known(options)}
        size = options.pop("batch_size", None)
        if isinstance(inputs, str | Mapping):
            return self.answers([inputs], **options)[0]
        if isinstance(inputs, list | tuple):
            return list(watched(self._stream(inputs, size or BATCH, options), len(inputs), "answering"))
        if isinstance(inputs, bytes) or not (isinstance(inputs, Iterable) or hasattr(inputs, "__getitem__")):
            raise DataError(
                f"a text, a dictionary or several of them are needed, not {type(inputs).__name__}: {inputs!r:.60}"
            )
        return self._stream(inputs, size or 1, options)

    def each(self, inputs: Sequence[Any]) -> Iterator[Any]:
        """An answer for each input as they are made, alike whether there are many or one."""
        options = {name: value for name, value in self.options.items() if name != "batch_size"}
        return self._stream(inputs, self.options.get("batch_size") or BATCH, options)

    def answers(self, inputs: Sequence[Any]) -> list[Any]:
        """An answer for each input."""
        raise NotImplementedError

    def _stream(self, inputs: Iterable[Any], size: int, options: Mapping[str, Any]) -> Iterator[Any]:
        rest, done = iter(inputs), 0
        while some := list(islice(rest, size)):
            try:
                answers = self.answers(some, **options)
            except InputError as error:
                raise InputError(done + error.number, error.what) from None
            yield from answers
            done += len(some)

    def _known(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options, those of inner dictionaries among them; raises ConfigError for one that is unknown."""
        given = {name: value for name, value in options.items() if name not in (*NESTED, *WITHOUT_EFFECT)}
        for name in NESTED:
            inner = options.get(name) or {}
            if not isinstance(inner, Mapping):
                raise ConfigError(f"{name} are options by their names, in a dictionary, not {inner!r:.60}")
            given |= {key: value for key, value in inner.items() if key not in WITHOUT_EFFECT}
        given = {name: list(value) if isinstance(value, Iterator) else value for name, value in given.items()}
        if given.pop("return_tensors", None):
            raise ConfigError("return_tensors is not offered: answers are lists and numbers, without torch")
        parameters = signature(self.answers).parameters.values()
        own = {one.name: str(one.annotation) for one in parameters if one.kind is Parameter.KEYWORD_ONLY}
        known = [*own, *self.more]
        for name in given:
            if name not in (*known, "batch_size"):
                raise ConfigError(
                    f"unknown option '{name}'{did_you_mean(name, known)}; known: {', '.join([*known, 'batch_size'])}"
                )
        for name in [name for name in given if own.get(name, "").startswith("bool")]:
            true_or_false(name, given[name])
            if given[name] is None:
                del given[name]
        if (size := given.get("batch_size")) is not None:
            at_least("batch_size", size, 1)
        return given


def text_of(value: Any, what: str = "text") -> str:
    """The text that an input is; raises DataError for anything else."""
    if not isinstance(value, str):
        raise DataError(f"{what} must be a string, not {type(value).__name__}: {value!r:.60}")
    return str(value)


def texts_of(values: Any, what: str) -> list[str]:
    """The texts of a list, or of whatever else can be gone through; raises DataError for anything else."""
    if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
        raise DataError(f"{what} must be a list of texts, not {type(values).__name__}: {values!r:.60}")
    return [text_of(value, f"each of {what}") for value in values]


def all_read(inputs: Iterable[Given], read: Callable[[Given], Read]) -> list[Read]:
    """What is read of every input; raises InputError for one of which nothing can be."""
    found = []
    for number, value in enumerate(inputs):
        try:
            found.append(read(value))
        except DataError as error:
            raise InputError(number, error.what if isinstance(error, InputError) else str(error)) from None
    return found


def told(answer: Any, cut: int | None) -> Any:
    """An answer in which every dictionary says how many tokens were left out; None where that was not asked for."""
    if cut is None:
        return answer
    if isinstance(answer, list):
        return [told(part, cut) for part in answer]
    return {**answer, "cut_tokens": cut} if isinstance(answer, Mapping) else answer


def true_or_false(name: str, value: Any) -> None:
    """Raises ConfigError for another value; None is as good as not given."""
    if not isinstance(value, bool | None):
        raise ConfigError(f"{name} is True or False, not {value!r}")


def at_least(name: str, value: Any, least: int) -> int:
    """A whole number of that size; raises ConfigError for another value."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ConfigError(f"{name} must be a whole number, at least {least}, not {value!r}")
    return value
