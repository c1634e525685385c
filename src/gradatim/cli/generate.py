"""`gradatim lm generate`: what a language model writes after a prompt."""

from __future__ import annotations

from typing import Annotated

import typer

from gradatim.cli.writer import Model, print_pieces
from gradatim.tasks.open import open_language


def command(
    model: Model,
    prompt: Annotated[str, typer.Option(help="How every text begins.")] = "",
    count: Annotated[
        int | None, typer.Option(min=1, help="How many texts (default: 5 if they are drawn, else 1).")
    ] = None,
    max_words: Annotated[int, typer.Option(min=1, help="The most words of one.")] = 100,
    temperature: Annotated[
        float | None, typer.Option(min=0, help="0: always the likeliest word (default: 1, but 0 with beams).")
    ] = None,
    top_k: Annotated[int, typer.Option(min=0, help="Draw from so many words; 0: from all.")] = 0,
    top_p: Annotated[float, typer.Option(help="Draw from the fewest words that hold this share.")] = 1.0,
    beams: Annotated[int, typer.Option(min=1, help="Texts kept side by side, to find the likeliest.")] = 1,
    repetition: Annotated[float, typer.Option(help="Above 1 words already there score less.")] = 1.0,
    no_repeat: Annotated[int, typer.Option(min=0, help="No run of so many words comes twice.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="The same seed, the same texts.")] = 0,
    stream: Annotated[bool, typer.Option("--stream", help="Print each text while it is written.")] = False,
) -> None:
    """Write new texts, word by word."""
    from gradatim.decode.search import Search

    pipeline = open_language(model)
    sample = temperature != 0 and (temperature is not None or beams == 1)
    count = count or (5 if sample else 1)
    search = Search(
        end=pipeline.model.end, max_length=max_words, sample=sample, temperature=temperature or 1.0, top_k=top_k,
        top_p=top_p, beams=max(beams, count) if beams > 1 else 1, best=count if beams > 1 else 1,
        repetition=repetition, no_repeat=no_repeat, seed=seed,
    )  # fmt: skip
    if stream:
        for number in range(count):
            print_pieces(pipeline.stream(prompt, search, number=number))
        return
    for text in pipeline.generate([prompt], search, count=count if beams == 1 else 1)[0]:
        print(text, flush=True)
