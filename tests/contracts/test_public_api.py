"""The public names, and that importing them costs nothing."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import gradatim

ROOT = Path(__file__).parents[2]


def test_public_names() -> None:
    assert gradatim.__all__ == ["__version__", "fit", "load", "pipeline"]
    assert set(gradatim.__all__) <= set(dir(gradatim))
    assert callable(gradatim.load)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = gradatim.nonsense


def test_version_is_that_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert gradatim.__version__ == project["version"]


def test_import_loads_nothing_but_the_standard_library() -> None:
    code = (
        "import sys, time\n"
        "before = set(sys.modules); start = time.process_time()\n"
        "import gradatim\n"
        "elapsed = time.process_time() - start\n"
        "roots = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(roots - sys.stdlib_module_names - {'gradatim'}), elapsed <= 0.15)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[] True"
