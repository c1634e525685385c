"""A bar for work whose share done is known: with its time left, and only on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from time import monotonic
from typing import TypeVar

PATIENCE_S = 3.0  # how long nobody asks what is going on
Item = TypeVar("Item")


@contextmanager
def bar(what: str) -> Iterator[Callable[[float], None]]:
    """A bar on standard error, moved by calling it with the share done."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=1.0)
        yield lambda share: progress.update(task, completed=share)


def watched(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """The same items as they come, with a bar as soon as they take long."""
    began, move = monotonic(), None
    with ExitStack() as stack:
        for done, item in enumerate(items, 1):
            if move is None and monotonic() - began > PATIENCE_S:
                move = stack.enter_context(bar(what))
            if move is not None:
                move(done / total)
            yield item
