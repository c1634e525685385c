"""`gradatim tokenizer`: learn a vocabulary from text, and look at the pieces it makes."""

from __future__ import annotations

import sys
import time
from itertools import chain, islice
from pathlib import Path
from typing import Annotated

import typer

from gradatim.cli.target import check_target
from gradatim.errors import DataError
from gradatim.wording import count

app = typer.Typer(
    add_completion=False, help="Train a tokenizer, or look at what one does.", no_args_is_help=True
)
KINDS = "wordpiece, bpe, byte-bpe, unigram, word, character; bert, transformer, gpt, gpt2, roberta, t5, marian, elmo."
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

    from gradatim.data.plain import plain_texts
    from gradatim.engine.atomic import output_file
    from gradatim.text.tokenizer import preset, train_tokenizer

    config = preset(kind, lowercase=lowercase, specials=special or ())
    check_target(out)
    started = time.perf_counter()
    lines = (line for source in corpus for _, line in plain_texts(source, text or ()))
    first = next((line for line in lines if line.strip()), None)
    if first is None:
        raise DataError(f"nothing to learn from: {', '.join(corpus)} holds no text")
    every = chain([first], lines)
    batches = iter(lambda: list(islice(every, BATCH_TEXTS)), [])
    # In a thread, so that Ctrl-C is heard while the library computes.
    learning = ThreadPoolExecutor(1).submit(
        train_tokenizer, batches, config, size, progress=sys.stderr.isatty()
    )
    tokenizer = learning.result()
    with output_file(out) as handle:
        handle.write(tokenizer.to_str(pretty=True).encode())
    known, spent = tokenizer.get_vocab_size(), time.perf_counter() - started
    short = f" of the {size:,} asked for: the text has no more" * (known < size)
    print(f"{count(known, 'token')}{short}, learned in {spent:.1f} s, written to {out}", file=sys.stderr)


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
