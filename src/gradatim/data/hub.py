"""The Hugging Face hub as a source: whether it answers, model folders without pickle, data sets."""

from __future__ import annotations

import importlib.util
import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from gradatim.errors import CheckpointError, MissingExtraError, SourceError

ANSWER_WITHIN_S = 3.0
_MODEL_FILES = ["*.json", "*.safetensors", "vocab.txt", "merges.txt", "*.model"]
_OTHER_RUNTIMES = ["onnx/*", "openvino/*", "*.onnx.json"]
_TOKENIZERS = {"tokenizer.json", "vocab.txt", "vocab.json", "tokenizer.model", "spiece.model"}
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


def looks_like_id(name: str) -> bool:
    """Whether `name` has the form of a hub id, `name` or `owner/name`."""
    return _HUB_ID.fullmatch(name) is not None


@cache
def reachable() -> bool:
    """Whether the hub can be connected to, found out once per process and within 3 seconds.

    Name resolution may hang longer than any socket timeout, so the attempt runs in a thread that is
    left behind. Behind a proxy the proxy's address is tried. `HF_HUB_OFFLINE=1` answers no at once.
    """
    try:
        from huggingface_hub import constants
    except ImportError:
        return False
    if constants.HF_HUB_OFFLINE:
        return False
    address = _first_hop(constants.ENDPOINT)
    connected = threading.Event()

    def connect() -> None:
        with suppress(OSError), socket.create_connection(address, timeout=ANSWER_WITHIN_S):
            connected.set()

    attempt = threading.Thread(target=connect, daemon=True)
    attempt.start()
    attempt.join(ANSWER_WITHIN_S)
    return connected.is_set()


def _first_hop(endpoint: str) -> tuple[str, int]:
    """Host and port that a request to `endpoint` opens a connection to."""
    url = urlsplit(endpoint)
    proxies = getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    if proxy and not proxy_bypass(url.hostname or ""):
        url = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    return url.hostname or "", url.port or (443 if url.scheme == "https" else 80)


def snapshot(repo_id: str, *, revision: str | None = None, files: list[str] | None = None) -> Path:
    """The folder of a hub model: weights as safetensors, config, tokenizer; never a pickle.

    `files` asks for exactly those. Raises SourceError when the hub cannot be reached or has no such model.
    """
    wanted, ignored = (files, None) if files else (_MODEL_FILES, _OTHER_RUNTIMES)
    with _hub(f"model {repo_id!r}"):
        from huggingface_hub import snapshot_download

        folder = snapshot_download(repo_id, revision=revision, allow_patterns=wanted, ignore_patterns=ignored)
    return Path(folder)


def dataset(dataset_id: str) -> Any:
    """The splits of a hub data set as a `datasets.DatasetDict`; `owner/name:config` names a configuration.

    Raises SourceError when the hub cannot be reached or has no such data set.
    """
    with _hub(f"data set {dataset_id!r}"):
        import datasets

        path, _, config = dataset_id.partition(":")
        return datasets.load_dataset(path, config or None)


@contextmanager
def _hub(what: str) -> Iterator[None]:
    """Ask the hub for `what`, if it answers; every error of its client becomes a SourceError."""
    if importlib.util.find_spec("huggingface_hub") is None:
        raise MissingExtraError(f"{what} is on the hub, reading it", "train")
    if not reachable():
        offline = " (HF_HUB_OFFLINE is set)" * (os.environ.get("HF_HUB_OFFLINE", "") not in ("", "0"))
        raise SourceError(
            f"{what} is on the hub, which cannot be reached{offline}: use a local file or folder, "
            "a name of `gradatim data list`, or run where the hub answers"
        )
    try:
        yield
    except Exception as error:  # the client raises many unrelated types
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise SourceError(f"cannot fetch {what} from the hub: {first_line}") from error


def check_model_folder(folder: Path) -> Path:
    """Return `folder` if it holds a readable model; raises CheckpointError naming what is missing."""
    names = {path.name for path in folder.iterdir()}
    weights = any(name.endswith(".safetensors") for name in names)
    pickles = sorted(name for name in names if name.endswith((".bin", ".pt", ".pth", ".ckpt")))
    if pickles and not weights:
        raise CheckpointError(
            f"{folder} has its weights only as pickle ({pickles[0]}), which can run code and is refused; "
            "convert it where you trust it: save_pretrained(folder) of transformers writes model.safetensors"
        )
    tokenizer = not names.isdisjoint(_TOKENIZERS)
    found = (("config.json", "config.json" in names), ("model.safetensors", weights))
    missing = [name for name, there in (*found, ("tokenizer.json or vocab.txt", tokenizer)) if not there]
    if missing:
        raise CheckpointError(f"{folder} is not a model folder: it has no {', no '.join(missing)}")
    return folder
