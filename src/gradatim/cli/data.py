"""`gradatim data`: list, get and show data sets and weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from gradatim.types import Corpus, Examples

app = typer.Typer(help="Named weights and data sets, and how a data file is read.", no_args_is_help=True)

_LABELS_SHOWN = 20
_TEXT_WIDTH = 100
_QUANTILES = (0, 0.25, 0.5, 0.75, 0.95, 1)


@app.command("list")
def list_() -> None:
    """List what can be fetched or found by name."""
    from rich.console import Console
    from rich.table import Table

    from gradatim.data import entries
    from gradatim.data.named import NAMED, data_root

    table = Table(title="Catalog (gradatim data get NAME)")
    for column in ("name", "kind", "what", "MB", "licence", "here"):
        table.add_column(column, justify="right" if column == "MB" else "left", no_wrap=column != "what")
    for entry in entries().values():
        here = "yes" if entry.fetched else ""
        table.add_row(entry.name, entry.kind, entry.what, f"{entry.size_mb:g}", entry.licence, here)
    console = Console()
    console.print(table)
    root = data_root()
    if root:
        there = [
            name for name, row in NAMED.items() if all((root / file).is_file() for file in row.files.values())
        ]
        console.print(f"Under GRADATIM_DATA ({root}): {', '.join(there) or 'none of the known sets'}")
    else:
        console.print("GRADATIM_DATA is not set: no benchmark sets by name.")


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
    from rich.console import Console

    from gradatim.data import load_corpus

    corpus = load_corpus(source, text=text, text_pair=text_pair, label=label, seed=seed)
    console = Console()
    splits = {"train": corpus.train, "dev": corpus.dev, "test": corpus.test}
    given = {name: split for name, split in splits.items() if split is not None}
    several = ", several labels per text" * corpus.task.multi_label
    pairs = ", pairs of texts" * corpus.task.pairs
    console.print(f"[bold]{_plain(corpus.name)}[/]: {len(corpus.task.labels)} labels{several}{pairs}")
    console.print(
        f"licence: {_plain(corpus.licence)}",
        *([f"\nsource: {_plain(corpus.citation)}"] if corpus.citation else []),
    )
    for note in corpus.notes:
        console.print(f"- {_plain(note)}")
    console.print(_label_table(corpus, given))
    console.print(_length_table(given))
    if rows:
        console.print(_sample_table(corpus, rows))
    console.print(f"sha256 of the content: {corpus.digest}")


def _plain(text: str) -> str:
    """Text for rich, in which square brackets are just brackets."""
    from rich.markup import escape

    return escape(text)


def _label_table(corpus: Corpus, splits: dict[str, Examples]) -> Any:
    """Examples per label and split."""
    import numpy as np
    from rich.table import Table

    labels = corpus.task.labels
    table = Table("label", title="Labels")
    for name in splits:
        table.add_column(name, justify="right")
    counts = [
        s.targets.sum(axis=0).astype(int)
        if corpus.task.multi_label
        else np.bincount(s.targets, minlength=len(labels))
        for s in splits.values()
    ]
    for at, name in enumerate(labels[:_LABELS_SHOWN]):
        table.add_row(_plain(name), *(f"{count[at]:,}" for count in counts))
    if len(labels) > _LABELS_SHOWN:
        table.add_row(
            f"... {len(labels) - _LABELS_SHOWN} more",
            *(f"{count[_LABELS_SHOWN:].sum():,}" for count in counts),
        )
    table.add_section()
    table.add_row("texts", *(f"{len(s):,}" for s in splits.values()))
    return table


def _length_table(splits: dict[str, Examples]) -> Any:
    """Quantiles of the text length in characters, per split."""
    import numpy as np
    from rich.table import Table

    table = Table("split", title="Length in characters (quantiles)")
    for quantile in _QUANTILES:
        table.add_column(f"{quantile:.0%}", justify="right")
    for name, split in splits.items():
        seconds = split.pairs or [""] * len(split)
        lengths = [len(one) + len(two) for one, two in zip(split.texts, seconds, strict=True)]
        table.add_row(name, *(f"{value:,.0f}" for value in np.quantile(lengths, _QUANTILES)))
    return table


def _sample_table(corpus: Corpus, rows: int) -> Any:
    """Rows evenly spaced over train."""
    import numpy as np
    from rich.table import Table

    train = corpus.train
    table = Table(
        "label", "text", *(["second text"] if train.pairs else []), title="Samples of train", show_lines=True
    )
    for at in np.unique(np.linspace(0, len(train) - 1, rows).astype(int)):
        target = train.targets[at]
        ids = np.flatnonzero(target) if corpus.task.multi_label else [int(target)]
        texts = [train.texts[at], *([train.pairs[at]] if train.pairs else [])]
        table.add_row(
            _plain(", ".join(corpus.task.labels[i] for i in ids)),
            *(_plain(t if len(t) <= _TEXT_WIDTH else t[: _TEXT_WIDTH - 3] + "...") for t in texts),
        )
    return table
