"""`gradatim predict`: labels or entities of texts, or answers to questions, from arguments, stdin or a file."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import tee
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from gradatim.errors import ConfigError, DataError
from gradatim.wording import count

if TYPE_CHECKING:
    from gradatim.cli.answers import Form
    from gradatim.data.tables import Table
    from gradatim.engine.artifact import Artifact


class _Row(NamedTuple):
    cells: Sequence[Any]
    text: str
    pair: str | None


class _Rows(NamedTuple):
    columns: Sequence[str]
    rows: Iterable[_Row]


def command(
    model: Annotated[Path, typer.Argument(help="A .gradatim file.")],
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="TEXT", help="Texts; without any, lines of stdin.")
    ] = None,
    pair: Annotated[
        list[str] | None, typer.Option(help="Second text of a pair; repeat it for several texts.")
    ] = None,
    input: Annotated[
        Path | None, typer.Option(help="CSV, TSV, JSONL, TXT (also .gz, .xz) or Parquet.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="CSV, TSV or JSONL to write: the input and the answers.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per text on stdout.")] = False,
    text: Annotated[str | None, typer.Option(help="Column of the texts in --input.")] = None,
    text_pair: Annotated[str | None, typer.Option(help="Column of the second texts in --input.")] = None,
    top_k: Annotated[
        int | None, typer.Option("--top-k", min=1, help="How many labels to report (default: 1).")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Cores to use (default: all).")] = None,
) -> None:
    """Label texts, find their entities, or answer questions on them (TEXT) in a context (--pair)."""
    from gradatim.cli.answers import choose_writer
    from gradatim.engine.artifact import read_artifact
    from gradatim.pipelines.open import open_artifact
    from gradatim.tasks.judged import open_judged

    _check_texts(texts, pair, input, columns=bool(text or text_pair))
    artifact = read_artifact(model)
    kind = artifact.task.kind
    _check_top_k(top_k, kind, output)
    form = _form(kind, top_k or 1)
    writer = choose_writer(output, form) if output else None
    open_model = open_judged if kind in ("tagging", "span", "choice") else open_artifact
    opened = open_model(artifact, threads=threads)  # to the end: its threads do not like to be interrupted
    if input is not None:
        source = _table_rows(input, text, text_pair, artifact)
    else:
        source = _argument_rows(texts, pair) if texts else _stdin_rows(artifact.task.pairs)
    asked, kept = tee(source.rows)
    rows = ((row.text, row.pair) for row in asked)
    # All scores are kept for a multi-label task: any number of labels may be decided on.
    options = {} if kind != "classification" else {"top_k": None if artifact.task.multi_label else top_k or 1}
    predictions = opened.stream(rows, **options)
    answers = ((row.cells, prediction) for prediction, row in zip(predictions, kept, strict=False))
    if output is not None and writer is not None:
        _write(output, writer, source.columns, answers)
    else:
        _print(source.columns, answers, form, as_json)


def _check_texts(
    texts: Sequence[str] | None, pair: Sequence[str] | None, input: Path | None, *, columns: bool
) -> None:
    """Raises ConfigError where texts come from two sides, or something is said of what is not there."""
    if input is None and columns:
        raise ConfigError("--text and --text-pair name columns of a file: give it with --input")
    if input is not None and (texts or pair):
        raise ConfigError("give texts as arguments or with --input, not both")
    if pair and not texts:
        raise ConfigError("--pair is of texts given as arguments; into stdin pipe both, a tab between")


def _check_top_k(top_k: int | None, kind: str, output: Path | None) -> None:
    """Raises ConfigError where a number of labels would change nothing."""
    if top_k is None:
        return
    if kind != "classification":
        raise ConfigError("--top-k is of models that label texts: leave it out")
    if output is not None and output.suffix.lower() in (".csv", ".tsv"):
        raise ConfigError(f"{output} has one column for what was decided: with --top-k take .jsonl")


def _form(kind: str, top_k: int) -> Form:
    """How answers of a model of this kind are told."""
    from gradatim.cli.answers import END, INDEX, START, Answered, Entities, Labels

    answered = {"span": Answered(START, END), "choice": Answered(INDEX)}
    return Entities() if kind == "tagging" else answered.get(kind) or Labels(top_k)


def _argument_rows(texts: Sequence[str], pairs: Sequence[str] | None) -> _Rows:
    if not pairs:
        return _Rows(("text",), [_Row((text,), text, None) for text in texts])
    if len(pairs) != len(texts):
        raise ConfigError(f"{count(len(texts), 'text')} with {len(pairs)} --pair: each text has its own")
    return _Rows(("text", "pair"), [_Row(row, *row) for row in zip(texts, pairs, strict=True)])


def _stdin_rows(pairs: bool) -> _Rows:
    """The lines of stdin, one text each; for a model of pairs two texts with a tab between them."""
    if sys.stdin.isatty():
        raise ConfigError("nothing to predict: give texts, --input FILE, or pipe lines into stdin")
    return _Rows(("text", "pair") if pairs else ("text",), _lines(pairs))


def _lines(pairs: bool) -> Iterator[_Row]:
    from gradatim.data.textfile import stdin_lines

    for number, line in enumerate(stdin_lines(), 1):
        if not pairs:
            yield _Row((line,), line, None)
            continue
        first, tab, second = line.partition("\t")
        if not tab:
            raise DataError(f"stdin, line {number}: this model reads pairs: put a tab between the two texts")
        yield _Row((first, second), first, second)


def _table_rows(path: Path, text: str | None, text_pair: str | None, artifact: Artifact) -> _Rows:
    """The rows of a file, every one of them: a missing text counts as an empty one."""
    from gradatim.data.columns import choose_columns
    from gradatim.data.tables import open_table

    table, task = open_table(path), artifact.task
    if task.kind == "choice":
        return _choice_rows(table)
    if task.kind == "span":  # what its columns are called where nothing is said
        text, text_pair = text or "question", text_pair or "context"
    pairs = None if artifact.encoder.get("either") else task.pairs
    chosen = choose_columns(table, text=text, text_pair=text_pair, label=None, labelled=False, pairs=pairs)
    for note in (*table.notes, *chosen.notes):
        print(note, file=sys.stderr)

    def rows() -> Iterator[_Row]:
        for _, cells in table.scan():
            second = None if chosen.text_pair is None else _cell(cells[chosen.text_pair])
            yield _Row(cells, _cell(cells[chosen.text]), second)

    return _Rows(table.columns, rows())


def _choice_rows(table: Table) -> _Rows:
    """The rows of a table of questions with choices, every one of them."""
    from gradatim.data.answered import lined
    from gradatim.data.choices import asked_of

    asked = asked_of(table)

    def rows() -> Iterator[_Row]:
        for _, cells in table.scan():
            context, question, choices = asked(cells)
            yield _Row(cells, context, lined(question, choices))

    return _Rows(table.columns, rows())


def _cell(value: Any) -> str:
    return "" if value is None else str(value)


def _print(columns: Sequence[str], answers: Iterable[Any], form: Any, as_json: bool) -> None:
    from gradatim.cli.answers import record

    for cells, answer in answers:
        row = record(columns, cells, answer, form) if as_json else form.lines(answer)
        # Bytes, because the terminal's encoding may lack letters that labels have.
        sys.stdout.buffer.write(row.encode("utf-8", "replace") + b"\n")
    sys.stdout.buffer.flush()


def _write(path: Path, writer: Any, columns: Sequence[str], answers: Iterable[Any]) -> None:
    from rich.console import Console
    from rich.progress import track

    from gradatim.engine.atomic import output_file

    console = Console(stderr=True)
    watched = track(answers, "predicting", total=None, console=console, disable=not console.is_terminal)
    with output_file(path) as handle:
        written = writer(handle, columns, watched)
    print(f"{count(written, 'prediction')} written to {path}", file=sys.stderr)
