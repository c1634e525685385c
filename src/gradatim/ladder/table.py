"""The table in the terminal: one line per candidate, filled while the ladder is climbed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Literal

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from gradatim.ladder.figures import metric_name, quality, row_interval, seconds, short, span
from gradatim.ladder.records import Choice, Row

State = Literal["training", "measured", "skipped", "refused"]
LOOKS: dict[State, tuple[str, str]] = {
    "training": ("", "cyan"),
    "measured": (" ", ""),
    "skipped": ("–", "dim"),
    "refused": ("×", "yellow"),
}
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
EXPENDABLE = ("start s", "p50 ms", "RAM MB", "texts/s", "train")  # dropped in this order if it is narrow
GAP = "  "


@dataclass(frozen=True, slots=True)
class Line:
    """One rung or candidate as it is shown now."""

    name: str
    state: State
    note: str = ""
    row: Row | None = None
    began: float = 0.0
    estimate_s: float = 0.0


class LadderTable:
    """A live table of the climb, or one line per event where the output is not a terminal."""

    def __init__(self, metric: str, title: str = "", console: Console | None = None) -> None:
        self.metric = metric
        self.title = title
        self.console = console or Console()
        self.lines: list[Line] = []
        self.message = ""
        self.share = 0.0
        self.choice: Choice | None = None
        self._live: Live | None = None

    def __enter__(self) -> LadderTable:
        if self.console.is_terminal:
            self._live = Live(self, console=self.console, refresh_per_second=8, vertical_overflow="visible")
            self._live.start()
        elif self.title:
            self._print(self.title)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.message = ""
        self._stop_training()  # whatever was running when an error came is not running any more
        if self._live is not None:
            self._live.stop()
            self._live = None

    def start(self, name: str, estimate_s: float) -> None:
        """A rung begins; `estimate_s` is what it is expected to take."""
        self._stop_training()
        self.share = 0.0
        self.lines.append(Line(name, "training", began=time.monotonic(), estimate_s=estimate_s))
        self._changed(f"{name}: training, about {seconds(estimate_s)}")

    def say(self, message: str) -> None:
        """What the running rung is doing at this moment."""
        self.message = message
        self._changed(f"  {message}")

    def progress(self, share: float) -> None:
        """How much of the running rung's training is done; shown where the table is live."""
        self.share = share

    def finish(self, row: Row) -> None:
        """A candidate is measured; a rung may finish with several."""
        self._settle(Line(row.name, "measured", row=row), row.candidate.rung)
        self._changed(f"{row.name}: {_sentence(row, self.metric)}")

    def skip(self, name: str, why: str) -> None:
        """A rung is not run."""
        self._settle(Line(name, "skipped", note=why), name)
        self._changed(f"{name}: skipped, {why}")

    def refuse(self, name: str, why: str) -> None:
        """A candidate did not pass the int8 gate."""
        self._settle(Line(name, "refused", note=why), name)
        self._changed(f"{name}: refused, {why}")

    def chosen(self, choice: Choice) -> None:
        """The end of the climb: the chosen candidate is marked and the reasons are said."""
        self._stop_training()
        self.message = ""
        self.choice = choice
        self._changed(_verdict(choice))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self.title:
            yield Text(self.title, style="bold")
        yield from self._body(options.max_width)
        if self.message:
            yield Text(f"{GAP}{self.message}", style="dim", no_wrap=True, overflow="ellipsis")
        if self.choice is not None:
            yield Text(
                f"\n{_verdict(self.choice)}", style="bold green" if self.choice.fits else "bold yellow"
            )

    def _body(self, width: int) -> Iterator[Text]:
        """The lines of the table; reasons run on to the right of the name, over all columns."""
        names = max([len("candidate"), *(len(line.name) for line in self.lines)])
        rows = [_cells(line.row, self.metric) for line in self.lines if line.row is not None]
        rows = rows or [{f"{metric_name(self.metric)} (95 %)": ""}]
        widths = {header: max(len(header), *(len(cells[header]) for cells in rows)) for header in rows[0]}
        for header in EXPENDABLE:
            if 2 + names + sum(len(GAP) + size for size in widths.values()) > width:
                widths.pop(header, None)
        yield Text(
            GAP.join([f"  {'candidate':<{names}}", *(f"{h:>{w}}" for h, w in widths.items())]), style="bold"
        )
        for line in self.lines:
            mark, style = self._mark(line)
            start = f"{mark} {line.name:<{names}}"
            if line.row is None:
                yield from _hanging(start, self._note(line), width, style)
            else:
                cells = _cells(line.row, self.metric)
                yield Text(GAP.join([start, *(f"{cells[h]:>{w}}" for h, w in widths.items())]), style=style)

    def _mark(self, line: Line) -> tuple[str, str]:
        if line.state == "training":
            return SPINNER[int(time.monotonic() * 8) % len(SPINNER)], LOOKS["training"][1]
        if self.choice is not None and line.row is not None:
            if line.row is self.choice.chosen:
                return "★", "bold green"
            if line.row is self.choice.nearest:
                return "☆", "bold yellow"
        return LOOKS[line.state]

    def _note(self, line: Line) -> str:
        if line.state != "training":
            return f"{line.state}: {line.note}"
        passed = time.monotonic() - line.began
        if not 0 < self.share < 1:
            return f"{seconds(passed)} of about {seconds(line.estimate_s)}"
        return f"training {self.share:4.0%}, {seconds(passed / self.share - passed)} left"

    def _settle(self, line: Line, rung: str) -> None:
        """Put a settled line in the place of the running one, if it belongs to that rung."""
        last = self.lines[-1] if self.lines else None
        if last is not None and last.state == "training" and last.name in {rung, line.name}:
            self.lines.pop()
        self.lines.append(line)

    def _stop_training(self) -> None:
        self.lines = [line for line in self.lines if line.state != "training"]

    def _changed(self, plain: str) -> None:
        if self._live is not None:
            self._live.refresh()
        elif not self.console.is_terminal:
            self._print(plain)

    def _print(self, plain: str) -> None:
        self.console.print(Text(plain), soft_wrap=True)


def _cells(row: Row, metric: str) -> dict[str, str]:
    seen = row.measurement
    figure = f"{quality(seen.quality, metric)}{GAP}{span(row_interval(row), metric)}"
    return {
        f"{metric_name(metric)} (95 %)": figure,
        "p50 ms": short(seen.p50_ms),
        "p95 ms": short(seen.p95_ms),
        "texts/s": f"{seen.texts_per_s:,.0f}",
        "MB": short(seen.size_mb),
        "RAM MB": f"{seen.peak_mb:,.0f}",
        "start s": f"{seen.cold_start_s:.2f}",
        "train": seconds(row.candidate.made_s),
    }


def _sentence(row: Row, metric: str) -> str:
    name, *headers = cells = _cells(row, metric)
    figure, interval = cells[name].split(GAP)
    figures = "; ".join(f"{header} {cells[header]}" for header in headers)
    return f"{metric_name(metric)} {figure} ({interval}); {figures}"


def _hanging(start: str, note: str, width: int, style: str) -> Sequence[Text]:
    """`note` to the right of `start`, wrapped under itself."""
    indent = len(start) + len(GAP)
    lines = [""]
    for word in note.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > max(width - indent, 20):
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    starts = [start, *[" " * len(start)] * (len(lines) - 1)]
    return [Text(f"{head}{GAP}{text}", style=style) for head, text in zip(starts, lines, strict=True)]


def _verdict(choice: Choice) -> str:
    said = "; ".join(choice.reasons)
    return f"★ {choice.chosen.name}: {said}" if choice.chosen else f"Nothing chosen: {said}"
