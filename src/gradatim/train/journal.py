"""What a run says while it goes: a line of JSON per record, TensorBoard events, and a progress bar."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any

from gradatim.engine.atomic import atomic_file

LOG = "log.jsonl"
EVENTS = "events"  # the folder of TensorBoard


class Journal(AbstractContextManager["Journal"]):
    """Records of a run: `step`, `steps` and named numbers each.

    They go to `log.jsonl` in the folder, to TensorBoard where that is installed, and to a progress
    bar where there is a terminal. Lines after step `after` are left from a run that was killed; they go.
    """

    def __init__(self, folder: Path | None, *, after: int = 0, steps: int = 0) -> None:
        self.path = folder / LOG if folder else None
        self.events: Any = None
        if self.path is not None and folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            _cut(self.path, after)
            if find_spec("tensorboard"):
                from torch.utils.tensorboard.writer import SummaryWriter

                self.events = SummaryWriter(str(folder / EVENTS), purge_step=after + 1)
        self.bar = _bar() if folder else None
        if self.bar is not None:
            self.bar.start()
            self.task = self.bar.add_task("", total=steps, completed=after, said="")

    def write(self, record: Mapping[str, Any]) -> None:
        """Add one record."""
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as log:
                log.write(json.dumps(record) + "\n")
        if self.events is not None:
            for name, value in record.items():
                if name != "step":
                    self.events.add_scalar(name, value, record["step"])
        if self.bar is not None:
            shown = {name: record[name] for name in ("loss", "score", "tokens_per_s") if name in record}
            said = "  ".join(f"{name.replace('_per_', '/')} {_short(value)}" for name, value in shown.items())
            self.bar.update(self.task, completed=record["step"], said=said)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.events is not None:
            self.events.close()
        if self.bar is not None:
            self.bar.stop()


def read_log(path: Path) -> list[dict[str, Any]]:
    """The records of a log; a last line that was cut off in the middle is not one."""
    records = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return records


def _cut(path: Path, after: int) -> None:
    kept = [record for record in read_log(path) if record["step"] <= after]
    with atomic_file(path) as handle:
        handle.write("".join(json.dumps(record) + "\n" for record in kept).encode())


def _bar() -> Any:
    """A progress bar with the time left on stderr, or None where nobody would see it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        return None
    said = TextColumn("{task.fields[said]}")
    return Progress(MofNCompleteColumn(), BarColumn(), TimeRemainingColumn(), said, console=console)


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
