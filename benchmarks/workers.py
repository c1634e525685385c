"""Systems in processes of their own, of which one works while the others are stopped."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Worker:
    """`python -m MODULE --worker NAME ...`, which answers a line of JSON with another until it is closed."""

    def __init__(self, module: str, name: str, options: list[str], log: Path) -> None:
        with log.open("a") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, "--worker", name, *options],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
            )  # fmt: skip
        self.log = log

    def ask(self, what: str, request: Any = None) -> Any:
        """The answer to a request; the process is stopped before and after."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write(json.dumps([what, request]) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.process.args} ended; see {self.log}")
        self.process.send_signal(signal.SIGSTOP)
        return json.loads(answer)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


def serve(open_answers: Callable[[], Callable[[str, Any], Any]]) -> None:
    """Answer requests until standard input ends; "peak" is the peak of memory in 10^6 bytes."""
    answers, sys.stdout = sys.stdout, sys.stderr  # libraries that print do not disturb
    answer = open_answers()
    for line in sys.stdin:
        what, request = json.loads(line)
        if what == "peak":
            from gradatim.ladder.measure import peak_bytes

            found: Any = peak_bytes() / 1e6
        else:
            found = answer(what, request)
        answers.write(json.dumps(found) + "\n")
        answers.flush()
