"""`gradatim.pipeline(task, model)`: a task by the names of `transformers.pipeline`, over a model of any kind."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gradatim.errors import ConfigError
from gradatim.pipelines.calls import at_least
from gradatim.tasks.open import open_file, open_folder
from gradatim.tasks.table import JOBS, find_task, tasks_of

DIRECTED = "translation_"  # begins the names of translations from one language to another
FILES = (".gradatim", ".arpa", ".arpa.gz")
# What transformers is told about a machine, and the values that say what is done here anyway.
ANY = "any"
HOST: Mapping[str, tuple[Any, ...]] = {
    "device": (None, -1, "cpu"), "device_map": (None, "auto", "cpu"), "framework": (None, "pt"),
    "torch_dtype": (ANY,), "dtype": (ANY,), "use_fast": (None, True), "trust_remote_code": (None, False),
    "revision": (None,), "token": (None,), "use_auth_token": (None,), "config": (None,), "feature_extractor": (None,),
    "image_processor": (None,), "processor": (None,), "pipeline_class": (None,), "model_kwargs": (None, {}),
    "binary_output": (None, False),
}  # fmt: skip


def pipeline(
    task: str | None = None,
    model: str | os.PathLike[str] | None = None,
    *,
    tokenizer: str | os.PathLike[str] | None = None,
    threads: int | None = None,
    **options: Any,
) -> Any:
    """A callable that does a task ("text-classification", "ner", "question-answering", ...) with a model.

    The model is a `.gradatim` file, which runs without torch; a folder of ours or of Hugging Face; a name of the
    catalog; a hub id. Without one it is the task's own, if that has been fetched before; without a task it is the first
    that the model can do. `options` are the task's, for all calls. Raises ConfigError for an unknown task or option,
    and for a model that cannot do the task, with the tasks that it can.
    """
    _check(options)
    if threads is not None:
        at_least("threads", threads, 1)
    if tokenizer is not None and (model is None or str(tokenizer) != str(model)):
        raise ConfigError("the tokenizer is the model's own: leave it out")
    if model is None:
        if task is None:
            raise ConfigError("name a task, a model, or both")
        path = _default(find_task(task))
    else:
        path = _find(model)
    job = None if task is None else JOBS[find_task(task)]
    if path.is_dir():
        opened = open_folder(
            path, bare=bool(job and job.bare), kinds=job.kinds if job else None, threads=threads
        )
    else:
        opened = open_file(path, threads=threads)
    able = tasks_of(opened.kind, folder=path.is_dir())
    if job is None and able:
        task, job = able[0], JOBS[able[0]]
    if task is None or job is None or opened.kind not in job.kinds:
        raise ConfigError(
            f"{path} holds a model of kind '{opened.kind}', which can do: {', '.join(able) or 'none of the tasks'}"
            + (f". For '{task}' another is needed: {job.advice}" if job else "")
        )
    directions = [name for name in opened.by_task if name.startswith(DIRECTED)]
    if directions and task.startswith(DIRECTED) and task not in directions:
        logging.getLogger("gradatim").warning(
            "%s says nothing of '%s', so that texts are read as they stand: it knows %s",
            path,
            task,
            ", ".join(directions),
        )
    return job.build(opened.model, **opened.settings_for(task), **options)


def _check(options: dict[str, Any]) -> None:
    """Take out what transformers is told about a machine; raises ConfigError for what is not offered here."""
    for name in HOST.keys() & options.keys():
        value, offered = options.pop(name), HOST[name]
        if ANY not in offered and str(value) not in map(str, offered):
            raise ConfigError(f"{name}={value!r} is not offered here: leave it out")


def _find(model: str | os.PathLike[str]) -> Path:
    """The file or folder of a model."""
    from gradatim.data import entries, resolve_model

    if not isinstance(model, str | os.PathLike):
        raise ConfigError(
            f"a model is named by its path, its name or its id, not by a {type(model).__name__}"
        )
    path = Path(model).expanduser()
    if path.is_file() or str(path).endswith(FILES):
        return path
    entry = entries().get(str(model))
    if entry is not None and not path.exists() and not entry.fetched:
        logging.getLogger("gradatim").warning("fetching %s (%g MB)", entry.name, entry.size_mb)
    return resolve_model(path if path.is_dir() else str(model))


def _default(task: str) -> Path:
    """The model of a task for which none was named; never fetched here."""
    from gradatim.data import entries

    job = JOBS[task]
    if job.default is None:
        raise ConfigError(f"'{task}' has no model of its own, name one with model=: {job.advice}")
    entry = entries()[job.default]
    if not entry.fetched:
        raise ConfigError(
            f"no model was named, and '{entry.name}', the one for '{task}', is not on this machine: "
            f"pass model='{entry.name}' to fetch its {entry.size_mb:g} MB"
        )
    return entry.folder
