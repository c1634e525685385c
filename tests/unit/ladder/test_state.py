"""The climb folder: what it keeps, what it refuses, what it never deletes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gradatim.errors import ConfigError
from gradatim.ladder.records import Dropped, Row
from gradatim.ladder.state import ClimbFolder, climbing_alone
from gradatim.types import Candidate, Measurement

PRINT = {"seed": 0, "data": "abc", "rungs": ("a", "b")}


def row(folder: ClimbFolder) -> Row:
    artifact = str(folder.rung("a") / "a.gradatim")
    candidate = Candidate("a", "a", artifact, 1.5, 10, source="b", notes=("said", "so"))
    return Row(candidate, Measurement(0.9, 0.8, 1.0, 1.0, 2.0, 3.0, 4.0, 5.0, 0.1, 7, {"macro_f1": 0.5}))


def test_a_finished_rung_comes_back_as_it_was(tmp_path: Path) -> None:
    folder = ClimbFolder(tmp_path / "c", PRINT, resume=False)
    dropped = [Dropped("a-int8", "not faster", "refused")]
    folder.finish("a", [row(folder), *dropped])
    again = ClimbFolder(tmp_path / "c", PRINT, resume=True)
    assert again.finished("a") == [row(folder), *dropped]
    assert again.finished("b") is None


def test_a_moved_folder_still_finds_its_artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = ClimbFolder(Path("c"), PRINT, resume=False)
    folder.finish("a", [row(folder)])
    moved = Path("elsewhere") / "d"
    moved.parent.mkdir()
    Path("c").rename(moved)
    rows = ClimbFolder(tmp_path / moved, PRINT, resume=True).finished("a")
    assert rows
    assert isinstance(rows[0], Row)
    assert Path(rows[0].candidate.artifact) == tmp_path / moved / "a" / "a.gradatim"


def test_other_settings_are_refused_by_name_and_change_nothing(tmp_path: Path) -> None:
    folder = ClimbFolder(tmp_path / "c", PRINT, resume=False)
    folder.finish("a", [row(folder)])
    with pytest.raises(ConfigError, match=r"\(rungs, seed\)"):
        ClimbFolder(tmp_path / "c", {**PRINT, "seed": 1, "rungs": ["a"]}, resume=True)
    assert ClimbFolder(tmp_path / "c", PRINT, resume=True).finished("a") is not None


def test_without_resume_it_starts_empty(tmp_path: Path) -> None:
    folder = ClimbFolder(tmp_path / "c", PRINT, resume=False)
    folder.finish("a", [row(folder)])
    assert ClimbFolder(tmp_path / "c", PRINT, resume=False).finished("a") is None


def test_only_one_climbs_in_a_folder(tmp_path: Path) -> None:
    with climbing_alone(tmp_path / "c"):
        with (
            pytest.raises(ConfigError, match="another climb is running"),
            climbing_alone(tmp_path / "c"),
        ):
            pass
        with climbing_alone(tmp_path / "d"):
            pass
    with climbing_alone(tmp_path / "c"):
        assert (tmp_path / "c").is_dir()


def test_resume_without_an_earlier_climb_just_starts(tmp_path: Path) -> None:
    assert ClimbFolder(tmp_path / "c", PRINT, resume=True).finished("a") is None


@pytest.mark.parametrize("resume", [False, True])
def test_what_is_not_a_climb_is_left_alone(tmp_path: Path, resume: bool) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "one.txt").write_text("dear", encoding="utf-8")
    with pytest.raises(ConfigError, match="not a climb folder"):
        ClimbFolder(tmp_path / "letters", PRINT, resume=resume)
    with pytest.raises(ConfigError, match="is a file"):
        ClimbFolder(tmp_path / "letters" / "one.txt", PRINT, resume=resume)
    assert os.listdir(tmp_path / "letters") == ["one.txt"]


@pytest.mark.parametrize("name", ["climb.json", "a/done.json"])
def test_a_damaged_record_is_named(tmp_path: Path, name: str) -> None:
    folder = ClimbFolder(tmp_path / "c", PRINT, resume=False)
    folder.finish("a", [row(folder)])
    path = tmp_path / "c" / name
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(ConfigError, match="is damaged"):
        ClimbFolder(tmp_path / "c", PRINT, resume=True).finished("a")


def test_killed_while_the_first_record_was_written(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / ".climb.json.1a2b.part").write_bytes(b'{"se')
    ClimbFolder(tmp_path / "c", PRINT, resume=False)
    assert ClimbFolder(tmp_path / "c", PRINT, resume=True).finished("a") is None


def test_killed_while_it_was_emptied_it_can_be_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ClimbFolder(tmp_path / "c", PRINT, resume=False)
    folder.finish("a", [row(folder)])

    def killed(_path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("gradatim.ladder.state.shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            ClimbFolder(tmp_path / "c", PRINT, resume=False)
    assert ClimbFolder(tmp_path / "c", PRINT, resume=False).finished("a") is None
