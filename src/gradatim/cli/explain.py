"""`gradatim explain`: where a model that writes texts from texts looked while it wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gradatim.errors import ConfigError

SURE = 0.5  # of the attention in one place


def command(
    model: Annotated[Path, typer.Argument(help="A folder of `gradatim train`, kind seq2seq.")],
    text: Annotated[str, typer.Argument(help="What it should read.")],
    html: Annotated[Path | None, typer.Option(help="Write a page: the matrix, head by head.")] = None,
    png: Annotated[Path | None, typer.Option(help="Write the matrix as a picture.")] = None,
    beams: Annotated[int, typer.Option(min=1, help="Texts kept side by side; 1 is greedy.")] = 4,
) -> None:
    """Show which words of the source each written word comes from, by the model's attention."""
    from gradatim.cli.target import check_target
    from gradatim.errors import need_training

    need_training("gradatim explain")
    from gradatim.decode.search import Search
    from gradatim.explain.alignment import align, diagonality, entropy
    from gradatim.explain.page import write_page, write_picture
    from gradatim.tasks.open import read_writer
    from gradatim.text.pieces import PieceEncoder

    if not model.is_dir():
        raise ConfigError(
            f"{model} is no folder of `gradatim train`: a finished file does not tell where it looks"
        )
    for out in filter(None, (html, png)):
        check_target(out)
    network, tokenizer, settings = read_writer(model)
    pieces = PieceEncoder(tokenizer, max_length=settings["max_length"])
    longest = min(256, settings["longest"] or 256)
    found = align(
        network, pieces, tokenizer, text, start=settings["start"], end=settings["end"], prefix=settings["prefix"],
        search=Search(end=settings["end"], max_length=longest, beams=beams),
    )  # fmt: skip
    print(found.text)
    for target, source, weight in found.links():
        print(f"  {target:16} {source:16} {weight:.2f}{' *' if weight >= SURE else ''}")
    print(f"entropy {entropy(found.mean):.2f} bits, diagonality {diagonality(found.mean):.2f}")
    if html is not None:
        write_page(html, text, found)
    if png is not None:
        write_picture(png, found)
