"""`gradatim tokenizer`: learn a vocabulary from text, and look at the pieces it makes."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Annotated

import typer

from gradatim.errors import DataError

app = typer.Typer(help="Train a tokenizer, or look at what one does.", no_args_is_help=True)
KINDS = "wordpiece, bpe, byte-bpe, unigram; or bert, transformer, gpt, gpt2, roberta, t5."
BATCH_TEXTS = 1000


@app.command()
def train(
    corpus: Annotated[list[str], typer.Argument(help="Text files, tables, folders of them, data set names.")],
    size: Annotated[int, typer.Option(min=1, help="Most tokens of the vocabulary, special ones included.")],
    kind: Annotated[str, typer.Option(help=KINDS)] = "wordpiece",
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("tokenizer.json"),
    lowercase: Annotated[bool, typer.Option("--lowercase", help="Fold upper and lower case.")] = False,
    special: Annotated[list[str] | None, typer.Option(help="A further special token; repeat it.")] = None,
    text: Annotated[list[str] | None, typer.Option(help="Column of a table; repeat it for several.")] = None,
) -> None:
    """Learn a tokenizer from text."""
    from concurrent.futures import ThreadPoolExecutor

    from gradatim.engine.atomic import atomic_file
    from gradatim.text.tokenizer import preset, train_tokenizer

    config = preset(kind, lowercase=lowercase, specials=special or ())
    if not out.parent.is_dir():  # said now, not after minutes of learning
        raise DataError(f"no such folder: {out.parent}")
    started = time.perf_counter()
    lines = chain.from_iterable(_texts(source, text) for source in corpus)
    first = next((line for line in lines if line.strip()), None)
    if first is None:
        raise DataError(f"nothing to learn from: {', '.join(corpus)} holds no text")
    lines = chain([first], lines)
    batches = iter(lambda: list(islice(lines, BATCH_TEXTS)), [])
    # In a thread, so that Ctrl-C is heard while the library computes.
    learning = ThreadPoolExecutor(1).submit(
        train_tokenizer, batches, config, size, progress=sys.stderr.isatty()
    )
    tokenizer = learning.result()
    try:
        with atomic_file(out) as handle:
            handle.write(tokenizer.to_str(pretty=True).encode())
    except OSError as error:
        raise DataError(f"{out} was not written: {error.strerror or error}") from error
    known, spent = tokenizer.get_vocab_size(), time.perf_counter() - started
    short = f" of the {size:,} asked for: the text has no more" * (known < size)
    print(f"{known:,} tokens{short}, learned in {spent:.1f} s, written to {out}", file=sys.stderr)


@app.command()
def show(
    file: Annotated[Path, typer.Argument(help="tokenizer.json, a folder with one, or a .gradatim file.")],
    text: Annotated[str, typer.Argument(help="What to cut into pieces.")],
    pair: Annotated[str | None, typer.Option(help="Second text of a pair.")] = None,
) -> None:
    """Print the pieces of a text: number, piece, where it starts and ends, the characters there."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from gradatim.engine.artifact import read_artifact
    from gradatim.text.tokenizer import load_tokenizer, parse_tokenizer

    if file.suffix == ".gradatim":
        tokenizer = parse_tokenizer(read_artifact(file).member("tokenizer.json").decode())
    else:
        tokenizer = load_tokenizer(file)
    found = tokenizer.encode(text, pair)
    columns = zip(found.ids, found.tokens, found.offsets, found.sequence_ids, found.type_ids, strict=True)
    table = Table("id", "piece", "start", "end", "characters", "segment", box=box.SIMPLE_HEAD)
    for number, piece, (start, end), origin, segment in columns:
        # Quoted as in Python, so that spaces and invisible characters are seen; Text, as brackets are markup.
        there = "" if origin is None else repr((text, pair or "")[origin][start:end])
        table.add_row(str(number), Text(piece), str(start), str(end), Text(there), str(segment))
    Console().print(table)


def _texts(source: str, columns: list[str] | None) -> Iterator[str]:
    """The lines of a text file, the cells of a table, or those of all files in a folder; one at a time."""
    from gradatim.data.columns import choose_columns
    from gradatim.data.source import find_source
    from gradatim.data.tables import SUFFIXES
    from gradatim.data.textfile import decompressed, open_text

    path = Path(source).expanduser()
    if path.is_dir():
        files = [item for item in sorted(path.rglob("*")) if item.is_file()]
        files = [item for item in files if decompressed(item).suffix.lower() in SUFFIXES]
        if not files:
            raise DataError(f"{path} holds no file of type {', '.join(SUFFIXES)}")
        for file in files:
            yield from _texts(str(file), columns)
    elif path.is_file() and decompressed(path).suffix.lower() == ".txt":
        with open_text(path) as lines:
            yield from lines  # with their ends: byte-level tokens may hold them
    else:
        table = find_source(source).tables["train"]
        names: Sequence[str | None] = columns or [None]
        chosen = [choose_columns(table, text=name, labelled=False, pairs=False).text for name in names]
        for _, cells in table.scan():
            yield from (str(cells[at]) for at in chosen if cells[at])
