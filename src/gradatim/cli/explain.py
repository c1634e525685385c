"""`gradatim explain`: where a model that writes texts from texts looked while it wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

LONGEST = 256  # tokens that are written, at most
SURE = 0.5  # of the attention in one place


def command(
    model: Annotated[
        Path,
        typer.Argument(help="A folder of `gradatim train`, kind seq2seq, or the file of a recurrent one."),
    ],
    text: Annotated[str, typer.Argument(help="What it should read.")],
    html: Annotated[Path | None, typer.Option(help="Write a page: the matrix, head by head.")] = None,
    png: Annotated[Path | None, typer.Option(help="Write the matrix as a picture.")] = None,
    beams: Annotated[int, typer.Option(min=1, help="Texts kept side by side; 1 is greedy.")] = 4,
) -> None:
    """Show which words of the source each written word comes from, by the model's attention."""
    from gradatim.cli.target import check_target
    from gradatim.decode.search import Search
    from gradatim.explain.alignment import Look, align, diagonality, entropy, step_by_step
    from gradatim.explain.page import write_page, write_picture
    from gradatim.tasks.open import open_writer

    for out in filter(None, (html, png)):
        check_target(out)
    writer = open_writer(model)
    look: Look = step_by_step
    if model.is_dir():
        from gradatim.explain.heads import all_heads

        look = all_heads
    search = Search(end=writer.end, max_length=min(LONGEST, writer.longest or LONGEST), beams=beams)
    found = align(writer, text, search, look=look)
    print(found.text)
    for target, source, weight in found.links():
        print(f"  {target:16} {source:16} {weight:.2f}{' *' if weight >= SURE else ''}")
    print(f"entropy {entropy(found.mean):.2f} bits, diagonality {diagonality(found.mean):.2f}")
    if html is not None:
        write_page(html, text, found)
    if png is not None:
        write_picture(png, found)
