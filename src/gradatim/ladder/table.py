"""The table in the terminal: one line per candidate, filled while the ladder is climbed."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.measure import Measurement
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from gradatim.ladder.figures import row_figures, seconds
from gradatim.ladder.records import Choice, Dropped, Result, Row

EXPENDABLE = ("start s", "p50 ms", "RAM MB", "texts/s", "train")  # left out in this order if it is narrow
MARKS = {"skipped": ("–", "dim"), "refused": ("×", "yellow")}


class LadderTable:
    """A live table of the climb, or one line per event where the output is not a terminal."""

    def __init__(self, metric: str, title: str = "", console: Console | None = None) -> None:
        self.metric = metric
        self.title = title
        self.console = console or Console()
        self.results: list[Result] = []
        self.running = ""  # the rung that is being trained
        self.choice: Choice | None = None
        self._message = ""
        self._began = self._estimate_s = self._share = 0.0
        self._spinner = Spinner("dots", style="cyan")
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
        self.running = self._message = ""  # whatever was running when an error came is not running any more
        if self._live is not None:
            self._live.stop()
            self._live = None

    def start(self, name: str, estimate_s: float) -> None:
        """A rung begins; `estimate_s` is what it is expected to take."""
        self.running, self._began, self._estimate_s, self._share = name, time.monotonic(), estimate_s, 0.0
        self._changed(f"{name}: training, about {seconds(estimate_s)}")

    def say(self, message: str) -> None:
        """What the running rung is doing at this moment."""
        self._message = message
        self._changed(f"  {message}")

    def progress(self, share: float) -> None:
        """How much of the running rung's training is done; shown where the table is live."""
        self._share = share

    def settle(self, result: Result) -> None:
        """A candidate is measured (a rung may give several), or dropped with its reason."""
        self.running = ""
        self.results.append(result)
        if isinstance(result, Dropped):
            self._changed(f"{result.name}: {result.kind}, {result.why}")
        else:
            (metric, value), (_, interval), *others = row_figures(result, self.metric).items()
            figures = "".join(f"; {header} {figure}" for header, figure in others)
            self._changed(f"{result.name}: {metric} {value} ({interval}){figures}")

    def chosen(self, choice: Choice) -> None:
        """The end of the climb: the chosen candidate is marked and the reasons are said."""
        self.running = self._message = ""
        self.choice = choice
        self._changed(_verdict(choice))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self.title:
            yield Text(self.title, style="bold")
        if rows := [result for result in self.results if isinstance(result, Row)]:
            tables = (self._measured(rows, EXPENDABLE[:n]) for n in range(len(EXPENDABLE) + 1))
            unbounded = options.update(max_width=1000)
            fitting = (
                t for t in tables if Measurement.get(console, unbounded, t).maximum <= options.max_width
            )
            yield next(fitting, self._measured(rows, EXPENDABLE))
        reasons = Table.grid(padding=(0, 2, 0, 0))
        for result in self.results:
            if isinstance(result, Dropped):
                mark, style = MARKS[result.kind]
                reasons.add_row(f"{mark} {result.name}", Text(f"{result.kind}: {result.why}"), style=style)
        if reasons.rows:
            yield reasons
        if self.running:
            self._spinner.update(text=f"{self.running}  {self._remaining()}")
            yield self._spinner
        if self._message:
            yield Text(f"  {self._message}", style="dim", no_wrap=True, overflow="ellipsis")
        if self.choice is not None:
            style = "bold green" if self.choice.fits else "bold yellow"
            yield Text(f"\n{_verdict(self.choice)}", style=style)

    def _measured(self, rows: list[Row], left_out: tuple[str, ...]) -> Table:
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
        table.add_column("  candidate", no_wrap=True)
        for header in row_figures(rows[0], self.metric):
            if header not in left_out:
                table.add_column(header, justify="right", no_wrap=True)
        for row in rows:
            figures = row_figures(row, self.metric)
            mark, style = " ", ""
            if self.choice is not None and row is self.choice.subject:
                mark, style = ("★", "bold green") if self.choice.fits else ("☆", "bold yellow")
            cells = (figure for header, figure in figures.items() if header not in left_out)
            table.add_row(f"{mark} {row.name}", *cells, style=style)
        return table

    def _remaining(self) -> str:
        passed = time.monotonic() - self._began
        if not 0 < self._share < 1:
            return f"{seconds(passed)} of about {seconds(self._estimate_s)}"
        return f"training {self._share:4.0%}, {seconds(passed / self._share - passed)} left"

    def _changed(self, plain: str) -> None:
        if self._live is not None:
            self._live.refresh()
        elif not self.console.is_terminal:
            self._print(plain)

    def _print(self, plain: str) -> None:
        self.console.print(Text(plain), soft_wrap=True)


def _verdict(choice: Choice) -> str:
    said = "; ".join(choice.reasons)
    return f"★ {choice.chosen.name}: {said}" if choice.chosen else f"Nothing chosen: {said}"
