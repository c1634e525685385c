"""Whatever one byte of damage does to an artifact, no altered content ever gets through."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradatim.engine.artifact import Artifact, read_artifact, write_artifact
from gradatim.errors import ArtifactError
from gradatim.types import Task


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes, Artifact]:
    path = tmp_path_factory.mktemp("damage") / "m.gradatim"
    write_artifact(
        path,
        kind="linear",
        task=Task(("a", "b")),
        encoder={"kind": "none"},
        members={"model.npz": bytes(range(256)), "tokenizer.json": b"token " * 100},
        card="card " * 50,
    )
    return path, path.read_bytes(), read_artifact(path)


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_a_changed_byte_is_refused_or_changes_nothing(
    sound: tuple[Path, bytes, Artifact], data: st.DataObject
) -> None:
    path, content, before = sound
    damaged = bytearray(content)
    damaged[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(damaged)
    try:
        after = read_artifact(path)
    except ArtifactError:
        return
    assert after == before


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_cut_file_is_refused(sound: tuple[Path, bytes, Artifact], data: st.DataObject) -> None:
    path, content, _ = sound
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(ArtifactError):
        read_artifact(path)
