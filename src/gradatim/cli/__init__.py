"""The command line: which commands there are, and how errors reach the user.

A command's module is imported when the command is used, and its heavy imports wait inside the
function, so that `gradatim predict` starts as fast as the runtime allows.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperGroup

from gradatim.errors import GradatimError, did_you_mean

INTERRUPTED = 130
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # of a write, whose error may name no file


class _Home(NamedTuple):
    module: str
    name: str  # a function with typer's annotations, or a typer.Typer of sub-commands


_COMMANDS = {
    "fit": _Home("gradatim.cli.fit", "command"),
    "train": _Home("gradatim.cli.train", "command"),
    "predict": _Home("gradatim.cli.predict", "command"),
    "run": _Home("gradatim.cli.run", "command"),
    "translate": _Home("gradatim.cli.translate", "command"),
    "evaluate": _Home("gradatim.cli.evaluate", "command"),
    "explain": _Home("gradatim.cli.explain", "command"),
    "bench": _Home("gradatim.cli.bench", "app"),
    "card": _Home("gradatim.cli.card", "command"),
    "data": _Home("gradatim.cli.data", "app"),
    "convert": _Home("gradatim.cli.convert", "command"),
    "tokenizer": _Home("gradatim.cli.tokenizer", "app"),
    "lm": _Home("gradatim.cli.lm", "app"),
    "vectors": _Home("gradatim.cli.vectors", "app"),
    "forecast": _Home("gradatim.cli.forecast", "command"),
}


class LazyGroup(TyperGroup):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names in the order of a first use."""
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import one command."""
        if cmd_name not in _COMMANDS:
            return None
        home = _COMMANDS[cmd_name]
        target = getattr(import_module(home.module), home.name)
        if not isinstance(target, typer.Typer):
            app = typer.Typer(add_completion=False)
            app.command(name=cmd_name)(target)
            target = app
        command = typer.main.get_command(target)
        command.name = cmd_name
        return command

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Offer the nearest command for an unknown one."""
        if args[0] not in _COMMANDS:
            ctx.fail(f"No such command '{args[0]}'{did_you_mean(args[0], _COMMANDS)}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; what went wrong on purpose is told in one line, without a traceback."""
        try:
            return super().invoke(ctx)
        except GradatimError as error:
            complain(str(error))
            raise typer.Exit(error.exit_code) from None
        except BrokenPipeError:  # the reader of our output, `head` perhaps, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(141) from None
        except OSError as error:  # a folder that may not be written into, a disk that is full
            if error.filename is None and error.errno not in FULL:
                raise
            complain(": ".join(filter(None, (error.filename, error.strerror))))
            raise typer.Exit(GradatimError.exit_code) from None
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)


app = typer.Typer(
    cls=LazyGroup,
    name="gradatim",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from gradatim import __version__

        print(f"gradatim {__version__}")
        raise typer.Exit


@app.callback()
def gradatim(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Labelled text and a budget in; the smallest model that is good enough out."""


def complain(message: str) -> None:
    """Print one red line to stderr."""
    from rich.console import Console
    from rich.text import Text

    Console(stderr=True, soft_wrap=True).print(Text.assemble(("error: ", "bold red"), (message, "red")))


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line; exits with 0, 2 on a user's error, 3 if no model fits the budget, 130 on Ctrl-C."""
    args = sys.argv[1:] if args is None else list(args)
    interrupts: list[int] = []

    def interrupt(signum: int, _frame: object) -> None:
        interrupts.append(signum)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        app(args, prog_name="gradatim")
    except BaseException as error:
        # A library's start-up code in C may turn the interrupt into an error of its own: the signal decides.
        if not (interrupts or isinstance(error, KeyboardInterrupt)):
            raise
        resume = ""
        if args and args[0] in ("fit", "train", "run"):
            resume = f"; `gradatim {args[0]} --resume` continues where it stopped"
        complain("stopped by Ctrl-C" + resume)
        sys.stdout.flush()
        os._exit(INTERRUPTED)  # not `sys.exit`: Python would end by the signal if it fell into an `exec`
    finally:
        signal.signal(signal.SIGINT, before)
