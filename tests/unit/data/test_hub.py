"""Whether the hub answers, and what is asked of it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("huggingface_hub")
from huggingface_hub import constants

from gradatim.data import hub
from gradatim.errors import SourceError


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    answer = hub.reachable  # some tests replace it
    answer.cache_clear()
    yield
    answer.cache_clear()


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_an_open_port_answers(monkeypatch: pytest.MonkeyPatch, listener: int) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{listener}")
    assert hub.reachable()


def test_a_closed_port_is_known_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    start = time.perf_counter()
    assert not hub.reachable()
    assert time.perf_counter() - start < 1


def test_a_name_service_that_hangs_costs_three_seconds_once(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def hang(*_: Any, **__: Any) -> Any:
        released.wait(30)
        raise OSError

    monkeypatch.setattr(hub, "ANSWER_WITHIN_S", 0.2)
    monkeypatch.setattr(socket, "create_connection", hang)
    start = time.perf_counter()
    assert not hub.reachable()
    assert not hub.reachable()
    assert time.perf_counter() - start < 1
    released.set()


def test_offline_is_respected(monkeypatch: pytest.MonkeyPatch, listener: int) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{listener}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert not hub.reachable()


def test_behind_a_proxy_the_proxy_counts(monkeypatch: pytest.MonkeyPatch, listener: int) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://hub.invalid")
    assert not hub.reachable()
    hub.reachable.cache_clear()
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{listener}")
    assert hub.reachable()


def test_unreachable_hub_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "reachable", lambda: False)
    with pytest.raises(SourceError, match=r"owner/name.*cannot be reached.*local"):
        hub.snapshot("owner/name")
    with pytest.raises(SourceError, match=r"owner/set.*cannot be reached"):
        hub.dataset("owner/set")


def test_no_pickle_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import fnmatch

    import huggingface_hub

    asked: dict[str, Any] = {}

    def download(repo: str, **how: Any) -> str:
        asked.update(how, repo=repo)
        return str(tmp_path)

    monkeypatch.setattr(hub, "reachable", lambda: True)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert hub.snapshot("owner/name") == tmp_path

    def wanted(name: str) -> bool:
        return any(fnmatch.fnmatch(name, pattern) for pattern in asked["allow_patterns"]) and not any(
            fnmatch.fnmatch(name, pattern) for pattern in asked["ignore_patterns"]
        )

    files = [
        "config.json",
        "model.safetensors",
        "model-00001-of-00002.safetensors",
        "tokenizer.json",
        "vocab.txt",
    ]
    assert all(map(wanted, files))
    unwanted = [
        "pytorch_model.bin",
        "model.pt",
        "training_args.bin",
        "tf_model.h5",
        "onnx/model.onnx",
        "x.py",
    ]
    assert not any(map(wanted, unwanted))


def test_the_clients_error_becomes_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def fail(*_: Any, **__: Any) -> str:
        raise RuntimeError("401 Client Error\nmany\nmore lines")

    monkeypatch.setattr(hub, "reachable", lambda: True)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(SourceError, match=r"owner/none.*401 Client Error$"):
        hub.snapshot("owner/none")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("bert-base-uncased", True), ("owner/name-1.5", True), ("a/b/c", False), ("/x", False), ("", False)],
)
def test_form_of_a_hub_id(name: str, expected: bool) -> None:
    assert hub.looks_like_id(name) is expected
