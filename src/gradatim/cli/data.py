"""`gradatim data`: list, get and show data sets and weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gradatim.wording import count

if TYPE_CHECKING:
    from gradatim.types import Corpus, Examples

app = typer.Typer(
    add_completion=False,
    help="Named weights and data sets, and how a data file is read.",
    no_args_is_help=True,
)

_LABELS_SHOWN = 20
_TEXT_WIDTH = 100
_QUANTILES = (0, 0.25, 0.5, 0.75, 0.95, 1)


@app.command("list")
def list_() -> None:
    """List what can be fetched or found by name."""
    from rich import print

    from gradatim.data import entries
    from gradatim.data.named import NAMED, data_root

    rows = [
        {"name": entry.name, "kind": entry.kind, "what": entry.what, "MB": entry.size_mb}
        | {"licence": entry.licence, "here": "yes" if entry.fetched else ""}
        for entry in entries().values()
    ]
    table = _table("Catalog (gradatim data get NAME)", rows)
    for column in table.columns:
        column.no_wrap = column.header != "what"
    print(table)
    root = data_root()
    if root:
        there = [name for name, row in NAMED.items() if all((root / f).is_file() for f in row.files.values())]
        print(f"Under GRADATIM_DATA ({root}): {', '.join(there) or 'none of the known sets'}")
    else:
        print("GRADATIM_DATA is not set: no benchmark sets by name.")


@app.command()
def get(name: Annotated[str, typer.Argument(help="A name of `gradatim data list`.")]) -> None:
    """Fetch a catalog name and print the folder it lies in."""
    from rich.console import Console

    from gradatim.data import fetch

    with Console(stderr=True).status("") as status:
        folder = fetch(name, progress=status.update)
    typer.echo(folder)


@app.command()
def show(
    source: Annotated[str, typer.Argument(help="A file, a folder, a name, or a hub data set id.")],
    text: Annotated[str | None, typer.Option(help="Column with the text.")] = None,
    text_pair: Annotated[str | None, typer.Option(help="Column with the second text.")] = None,
    label: Annotated[str | None, typer.Option(help="Column with the label.")] = None,
    rows: Annotated[int, typer.Option(min=0, help="Sample rows to print.")] = 5,
    seed: Annotated[int, typer.Option(help="Seed of the split that is made.")] = 0,
) -> None:
    """Show how a data set is read: columns, splits, labels, lengths, what was decided, sample rows."""
    from rich import print
    from rich.markup import escape

    from gradatim.data import load_corpus

    corpus = load_corpus(source, text=text, text_pair=text_pair, label=label, seed=seed)
    several = ", several labels per text" * corpus.task.multi_label
    pairs = ", pairs of texts" * corpus.task.pairs
    print(f"[bold]{escape(corpus.name)}[/]: {count(len(corpus.task.labels), 'label')}{several}{pairs}")
    print(escape(f"licence: {corpus.licence}"))
    if corpus.citation:
        print(escape(f"source: {corpus.citation}"))
    for note in corpus.notes:
        print(escape(f"- {note}"))
    for table in _tables(corpus, rows):
        print(table)
    print(f"sha256 of the content: {corpus.digest}")


def _table(title: str, rows: Sequence[Mapping[str, Any]], **look: Any) -> Any:
    """A rich table of strings and, on the right of their columns, numbers."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, **look)
    for name, cell in rows[0].items():
        table.add_column(name, justify="left" if isinstance(cell, str) else "right")
    for row in rows:
        table.add_row(*(escape(cell) if isinstance(cell, str) else f"{cell:,}" for cell in row.values()))
    return table


def _tables(corpus: Corpus, rows: int) -> Iterator[Any]:
    """Examples per label, lengths of the texts, and samples evenly spaced over train."""
    import numpy as np

    labels, train = corpus.task.labels, corpus.train
    given = {"train": train, "dev": corpus.dev, "test": corpus.test}
    splits = {name: split for name, split in given.items() if split is not None}
    hot = {name: _hot(split, corpus) for name, split in splits.items()}
    groups = [(label, slice(at, at + 1)) for at, label in enumerate(labels[:_LABELS_SHOWN])]
    if len(labels) > _LABELS_SHOWN:
        groups.append((f"... {len(labels) - _LABELS_SHOWN} more", slice(_LABELS_SHOWN, None)))
    counts = [
        {"label": label} | {name: int(hot[name][:, at].sum()) for name in splits} for label, at in groups
    ]
    counts.append({"label": "texts"} | {name: len(split) for name, split in splits.items()})
    table = _table("Labels", counts)
    table.rows[-2].end_section = True
    yield table
    lengths = []
    for name, split in splits.items():
        seconds = split.pairs or [""] * len(split)
        sizes = [len(one) + len(two) for one, two in zip(split.texts, seconds, strict=True)]
        quantiles = np.quantile(sizes, _QUANTILES).round().astype(int)
        headings = (f"{quantile:.0%}" for quantile in _QUANTILES)
        lengths.append({"split": name} | dict(zip(headings, quantiles, strict=True)))
    yield _table("Length in characters (quantiles)", lengths)
    samples = []
    for at in np.unique(np.linspace(0, len(train) - 1, rows).astype(int)):
        names = ", ".join(labels[i] for i in np.flatnonzero(hot["train"][at]))
        second = {"second text": _short(train.pairs[at])} if train.pairs else {}
        samples.append({"label": names, "text": _short(train.texts[at]), **second})
    if samples:
        yield _table("Samples of train", samples, show_lines=True)


def _hot(split: Examples, corpus: Corpus) -> Any:
    """The targets as zeros and ones, (texts, labels)."""
    import numpy as np

    return (
        split.targets
        if corpus.task.multi_label
        else split.targets[:, None] == np.arange(len(corpus.task.labels))
    )


def _short(text: str) -> str:
    return text if len(text) <= _TEXT_WIDTH else text[: _TEXT_WIDTH - 3] + "..."
