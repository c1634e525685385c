"""The command line as a whole: lazy commands, clear errors, exit codes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import gradatim
from gradatim.cli import app
from gradatim.text.tokenizer import PRESETS


def run(*args: object) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args])


def test_version() -> None:
    result = run("--version")
    assert (result.exit_code, result.stdout) == (0, f"gradatim {gradatim.__version__}\n")


def test_unknown_command_offers_the_nearest() -> None:
    result = run("predct")
    assert result.exit_code == 2
    assert "did you mean 'predict'" in result.stderr


def test_unknown_option_offers_the_nearest(tiny_artifact: Path) -> None:
    result = run("predict", tiny_artifact, "--treads", "1")
    assert result.exit_code == 2
    assert "--threads" in result.stderr


@pytest.mark.parametrize("command", ["predict", "card", "evaluate"])
def test_broken_model_is_one_line_without_traceback(tmp_path: Path, command: str) -> None:
    path = tmp_path / "broken.gradatim"
    path.write_bytes(b"not a model")
    result = run(command, path, *(["data.csv"] if command == "evaluate" else []))
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert str(path) in result.stderr


def test_what_the_system_refuses_is_one_line_without_traceback(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("a b c\n")
    result = run("lm", "train", tmp_path / "text.txt", "--order", 2, "--out", "/proc/lm.gradatim")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: /proc/")


def test_the_help_names_every_kind_of_tokenizer() -> None:
    told = run("tokenizer", "train", "--help").output
    assert {*PRESETS} <= {*re.findall(r"[\w-]+", told)}


def process(*args: object, **options: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "gradatim", *map(str, args)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)  # type: ignore[call-overload, no-any-return]


def test_ctrl_c_ends_with_130_and_one_line(tiny_artifact: Path) -> None:
    with process("predict", tiny_artifact, stdin=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(b"good\n" * 1024)  # a full chunk, so that an answer shows that it runs
        child.stdin.flush()
        os.read(child.stdout.fileno(), 1)
        child.send_signal(signal.SIGINT)
        _, stderr = child.communicate(timeout=30)
    assert child.returncode == 130
    assert stderr.count(b"\n") == 1
    assert b"Ctrl-C" in stderr


def test_a_reader_that_leaves_causes_no_noise(tiny_artifact: Path, tmp_path: Path) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("good film\n" * 40_000, encoding="utf-8")
    with process("predict", tiny_artifact, "--input", texts, "--json") as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.stdout.close()
        assert child.stderr is not None
        stderr = child.stderr.read()
        assert child.wait(timeout=60) != 0
    assert b"Traceback" not in stderr
    assert b"rror" not in stderr


def test_prediction_loads_nothing_heavy(tiny_artifact: Path) -> None:
    heavy = "('torch', 'datasets', 'sklearn', 'pandas', 'matplotlib', 'gradatim.data', 'gradatim.ladder')"
    code = (
        "import sys, gradatim.cli\n"
        "try: gradatim.cli.main(sys.argv[1:])\n"
        f"finally: print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "predict", str(tiny_artifact), "good film"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"
