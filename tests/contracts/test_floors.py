"""A module imports only from lower floors, and the runtime never from training: `import-linter` says so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINT = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"


def test_floors_are_kept() -> None:
    """In a process of its own: import-linter sets logging up anew, which closes the streams of other tests."""
    done = subprocess.run([sys.executable, "-c", LINT], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
