"""`gradatim translate`: what a model makes of texts: translations, summaries."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gradatim.errors import ConfigError
from gradatim.wording import count

if TYPE_CHECKING:
    from gradatim.decode.search import Search
    from gradatim.pipelines.text_to_text import Output, TextToText

LINES = 1024  # read, written and printed at once
SHOWN = 5  # unknown words that a warning quotes


def command(
    model: Annotated[Path, typer.Argument(help="A .gradatim file, or a folder of `gradatim train`.")],
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="TEXT", help="Texts; without any, lines of stdin.")
    ] = None,
    input: Annotated[Path | None, typer.Option(help="A file with a text on every line.")] = None,
    output: Annotated[Path | None, typer.Option(help="The file to write, a line for each.")] = None,
    beams: Annotated[
        int | None,
        typer.Option(min=1, help="Texts kept side by side (default: the file's own number); 1 is greedy."),
    ] = None,
    best: Annotated[int, typer.Option(min=1, help="How many texts for each.")] = 1,
    longest: Annotated[int, typer.Option(min=1, help="Tokens of a text that is written, at most.")] = 256,
    length_penalty: Annotated[float, typer.Option(help="Above 1 favours long texts.")] = 1.0,
    begin: Annotated[str, typer.Option(help="What every text must begin with.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per text.")] = False,
    stream: Annotated[
        bool, typer.Option("--stream", help="Print each text while it is written, greedily.")
    ] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="Cores to use (default: all).")] = None,
) -> None:
    """Write what a model makes of texts."""
    from gradatim.cli.target import check_target
    from gradatim.cli.writer import print_pieces
    from gradatim.decode.search import Search
    from gradatim.tasks.open import open_writer

    if input is not None and texts:
        raise ConfigError("give texts as arguments or with --input, not both")
    if stream and (output is not None or as_json):
        raise ConfigError("--stream prints what is written as it comes: leave out --output and --json")
    if output is not None:
        check_target(output)
    writer = open_writer(model, threads)
    beams = max(beams or (1 if stream else writer.beams), best)
    search = Search(end=writer.end, max_length=longest, beams=beams, best=best, length_penalty=length_penalty)
    foreign: list[tuple[int, list[str]]] = []
    batches = _noting(_texts(texts, input, 1 if stream else LINES), writer, foreign)
    if stream:
        for [(text, _)] in batches:
            print_pieces(writer.stream(text, search, begin=begin))
    else:
        found = _outputs(writer, batches, search, begin)
        plain = ("\t".join(one.text for one in outputs) for _, outputs, _ in found)
        _tell((_as_json(*one) for one in found) if as_json else plain, output)
    _warn(foreign)


def _tell(lines: Iterator[str], output: Path | None) -> None:
    """Print lines, or write them to a file."""
    from gradatim.engine.atomic import output_file

    if output is None:
        for line in lines:
            print(line, flush=True)
        return
    with output_file(output) as handle:
        for line in lines:
            handle.write(f"{line}\n".encode())


def _noting(
    batches: Iterator[list[str]], writer: TextToText, foreign: list[tuple[int, list[str]]]
) -> Iterator[list[tuple[str, list[str]]]]:
    """Texts, each with what of it the model has no token for; `foreign` keeps that with the text's number."""
    number = 0
    for some in batches:
        read = [(text, writer.unknown_to(text)) for text in some]
        foreign += [(at, unknown) for at, (_, unknown) in enumerate(read, number + 1) if unknown]
        number += len(some)
        yield read


def _outputs(
    writer: TextToText, batches: Iterator[list[tuple[str, list[str]]]], search: Search, begin: str
) -> Iterator[tuple[str, list[Output], list[str]]]:
    """Each text, what is written for it, and what of it is unknown."""
    for some in batches:
        texts, given = [text for text, _ in some], [begin] * len(some) if begin else None
        for (text, unknown), outputs in zip(some, writer.outputs(texts, search, begin=given), strict=True):
            yield text, outputs, unknown


def _warn(foreign: list[tuple[int, list[str]]]) -> None:
    """Say on stderr which texts hold what the model has no token for."""
    if not foreign:
        return
    number, unknown = foreign[0]
    words = ", ".join(repr(word) for word in unknown[:SHOWN]) + ", ..." * (len(unknown) > SHOWN)
    typer.echo(
        f"{count(len(foreign), 'text')} with what the model has no token for: text {number}, {words}",
        err=True,
    )


def _texts(texts: list[str] | None, path: Path | None, size: int) -> Iterator[list[str]]:
    """Texts, so many at a time; of a file or of stdin its lines."""
    if texts:
        yield from (texts[first : first + size] for first in range(0, len(texts), size))
        return
    lines = _lines(path)
    while some := list(islice(lines, size)):
        yield some


def _lines(path: Path | None) -> Iterator[str]:
    from gradatim.data.textfile import open_text, stdin_lines

    if path is None:
        yield from stdin_lines()
        return
    with open_text(path) as stream:
        for line in stream:
            yield line.rstrip("\r\n")


def _as_json(text: str, outputs: list[Output], unknown: list[str]) -> str:
    found = [
        {
            "text": one.text,
            "score": round(one.score, 6),
            "log_prob": round(one.log_prob, 6),
            "ended": one.ended,
        }
        for one in outputs
    ]
    told = {"source": text, "outputs": found} | ({"unknown": unknown} if unknown else {})
    return json.dumps(told, ensure_ascii=False)
