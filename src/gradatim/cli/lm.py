"""`gradatim lm`: language models that count words: train one, score texts, write new ones, convert."""

from __future__ import annotations

import json
import math
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gradatim.cli import generate, gradients
from gradatim.cli.target import check_target
from gradatim.cli.writer import Model
from gradatim.errors import ConfigError, DataError
from gradatim.tasks.folders import read_network
from gradatim.tasks.open import open_language
from gradatim.text.spaced import spaced_words
from gradatim.wording import count

if TYPE_CHECKING:
    from gradatim.ngram.build import Built
    from gradatim.ngram.model import NgramModel
    from gradatim.ngram.table import NgramTable
    from gradatim.pipelines.language import LanguageModel, Scores
    from gradatim.text.vocabulary import Vocabulary

app = typer.Typer(
    add_completion=False,
    help="Train a language model, score texts with it, write new ones.",
    no_args_is_help=True,
)
app.command(name="generate")(generate.command)
app.command(name="gradients")(gradients.command)
NO_PERPLEXITY = "these are scores, as of stupid back-off, and no probabilities: they have no perplexity"
PER_TOKEN = 160  # bytes held at once for each token of a block
SUFFIXES = (".gradatim", ".arpa")
Columns = Annotated[list[str] | None, typer.Option(help="Column of a table; repeat it for several.")]


@app.command()
def train(
    corpus: Annotated[
        list[str], typer.Argument(help="Sentences, one a line: text files, tables, folders, data set names.")
    ],
    order: Annotated[int, typer.Option(min=1, help="Words of the longest n-gram.")] = 5,
    smoothing: Annotated[str, typer.Option(help="kneser-ney, katz, stupid, add-k or mle.")] = "kneser-ney",
    add: Annotated[float | None, typer.Option(help="The k of add-k (default 1).")] = None,
    prune: Annotated[str, typer.Option(help="Drop what occurs at most so often, by order: '0 0 1'.")] = "0",
    min_count: Annotated[int, typer.Option(min=1, help="Words that occur less often become <unk>.")] = 1,
    dev: Annotated[str | None, typer.Option(help="Text held out, to measure on.")] = None,
    text: Columns = None,
    memory: Annotated[int, typer.Option(min=64, help="MB to sort in; what is larger is on disk.")] = 2000,
    out: Annotated[Path, typer.Option(help="File to write: .gradatim, or .arpa.")] = Path("lm.gradatim"),
) -> None:
    """Count n-grams and estimate a smoothed model."""
    from gradatim.data.plain import line_blocks
    from gradatim.ngram.arpa import write_arpa
    from gradatim.ngram.build import build
    from gradatim.ngram.model import NgramModel
    from gradatim.ngram.smoothing import named
    from gradatim.pipelines.language import LanguagePipeline
    from gradatim.text.space import Space

    method, thresholds = named(smoothing, add=add), _thresholds(prune, order)
    check_target(out, SUFFIXES)
    began, block = time.perf_counter(), memory * 10**6 // PER_TOKEN
    columns = text or ()
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".gradatim-lm-") as folder, _stages() as say:
        space = Space(Path(folder), block)
        built = build(
            line_blocks(corpus, columns, min(block, 1 << 24)),
            order=order, smoothing=method, prune=thresholds, min_count=min_count,
            dev=line_blocks([dev], columns) if dev else None, space=space, say=say,
        )  # fmt: skip
        say("packing")
        model = NgramModel.of(built.table, built.vocabulary, space)
        say(f"writing {out}")
        if out.suffix == ".arpa":
            write_arpa(out, built.table, built.vocabulary)
        else:
            counted = {"words": built.words, "sentences": built.sentences}
            _write(out, model, {"smoothing": smoothing, "order": order, **counted})
    _report(model, built, out, time.perf_counter() - began)
    if dev:
        lines = _lines(dev, columns)
        _print_scores(LanguagePipeline(model).score(lines), lines, dev, probable=method.sums_to_one)


@app.command()
def score(
    model: Model,
    file: Annotated[str, typer.Argument(help="Sentences, one a line; a file, folder, data set name, or -.")],
    carried: Annotated[
        bool,
        typer.Option("--carried", help="All sentences are one text: each is read after those before it."),
    ] = False,
    each: Annotated[bool, typer.Option("--each", help="A line per sentence: ln p, words, unknown.")] = False,
    words: Annotated[bool, typer.Option("--words", help="A line per word: its surprisal in bits.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The totals as one JSON object.")] = False,
    text: Columns = None,
) -> None:
    """Print how likely texts are: perplexity, bits per character, and on request every sentence or word."""
    if each + words + as_json > 1:
        raise ConfigError("--each, --words and --json are three ways to print: choose one")
    if words and carried:
        raise ConfigError("--words reads every sentence alone: leave out --carried")
    pipeline = open_language(model)
    probable = _sums_to_one(pipeline.model)
    if not probable and each + words + as_json:
        print(NO_PERPLEXITY, file=sys.stderr)
    lines = _lines(file, text or ())
    if words:
        for line in lines:
            for surprisal in pipeline.surprisals(line):
                print(f"{surprisal.token}\t{surprisal.bits:.3f}")
        return
    scores = pipeline.score(lines, carried=carried)
    if each:
        for p, tokens, unknown in zip(scores.log_probs, scores.tokens, scores.unknown, strict=True):
            print(f"{p:.4f}\t{tokens}\t{unknown}")
    elif as_json:
        totals = _totals(scores, lines, probable)  # JSON has no infinity: what is impossible is null
        print(json.dumps({name: value if math.isfinite(value) else None for name, value in totals.items()}))
    else:
        _print_scores(scores, lines, file, probable=probable)


@app.command()
def convert(
    source: Annotated[
        Path, typer.Argument(help="A .gradatim or .arpa file, or a folder of `gradatim train`.")
    ],
    target: Annotated[Path, typer.Argument(help="A .gradatim or .arpa file to write.")],
) -> None:
    """Turn an ARPA file into a .gradatim file, or back; or a network into a file that runs without PyTorch."""
    from gradatim import __version__
    from gradatim.ngram.arpa import write_arpa
    from gradatim.ngram.model import NgramModel

    check_target(target, SUFFIXES)
    if source.is_dir():
        if target.suffix == ".arpa":
            raise ConfigError("an ARPA file holds n-grams: a network becomes a .gradatim file")
        from gradatim.export.language import write_language

        network, tokenizer, end = read_network(source)
        write_language(target, network, tokenizer, end=end, provenance={"gradatim": __version__})
    elif target.suffix == ".arpa":
        write_arpa(target, *_table(source))
    else:
        _write(target, NgramModel.of(*_table(source)), {"source": source.name})


def _table(path: Path) -> tuple[NgramTable, Vocabulary]:
    """The n-grams of a file and their words."""
    from gradatim.ngram.arpa import read_arpa
    from gradatim.ngram.model import NgramModel
    from gradatim.pipelines.open import load_language

    if path.name.removesuffix(".gz").endswith(".arpa"):
        return read_arpa(path)
    model = load_language(path).model
    if not isinstance(model, NgramModel):
        raise ConfigError(f"{path} holds a network, which has no n-grams to write")
    return model.table(), model.vocabulary


def _sums_to_one(model: LanguageModel) -> bool:
    """Whether a model gives probabilities, as every network does."""
    from gradatim.ngram.model import NgramModel

    return not isinstance(model, NgramModel) or model.sums_to_one


def _write(path: Path, model: NgramModel, facts: dict[str, Any]) -> None:
    from gradatim import __version__
    from gradatim.ngram.stored import write_model

    write_model(path, model, provenance={**facts, "gradatim": __version__})


def _lines(source: str, columns: Sequence[str]) -> list[str]:
    """The sentences of a source; of text files and stdin every line, empty ones too."""
    from gradatim.data.plain import plain_texts
    from gradatim.data.textfile import stdin_lines

    if source == "-":
        lines = list(stdin_lines())
    else:
        texts = (text for _, text in plain_texts(source, columns))
        lines = [line.rstrip("\r") for text in texts for line in text.removesuffix("\n").split("\n")]
    if not lines:
        raise DataError(f"{source} holds no text: there is nothing to score")
    return lines


def _totals(scores: Scores, lines: Sequence[str], probable: bool) -> dict[str, Any]:
    """Sums over all texts; what only probabilities have is no number where scores are none."""
    words = len(spaced_words("\n".join(lines).encode())) + len(lines)
    measures = {
        "perplexity": scores.perplexity,
        "word_perplexity": scores.perplexity ** (scores.tokens.sum() / words),
        "known_perplexity": scores.known_perplexity,
        "bits_per_character": scores.bits_per_character,
    }
    return {
        "sentences": len(scores.tokens),
        "words": words,
        "tokens": int(scores.tokens.sum()),
        "unknown": int(scores.unknown.sum()),
        "mean_score": float(scores.log_probs.sum() / scores.tokens.sum()),
        **(measures if probable else dict.fromkeys(measures, math.nan)),
    }


def _print_scores(scores: Scores, lines: Sequence[str], where: str, *, probable: bool) -> None:
    totals = _totals(scores, lines, probable)
    print(
        f"{where}: {count(totals['sentences'], 'sentence')}, {count(totals['words'], 'word')} with sentence ends"
    )
    if not probable:
        print(
            f"ln of the score {totals['mean_score']:.3f} a token, {count(totals['unknown'], 'unknown token')}"
        )
        print(NO_PERPLEXITY)
        return
    print(f"perplexity {scores.perplexity:.2f}, {scores.bits_per_character:.3f} bits per character")
    if totals["tokens"] != totals["words"]:
        print(f"{totals['tokens']:,} tokens; perplexity of words {totals['word_perplexity']:.2f}")
    if totals["unknown"]:
        unknown = count(totals["unknown"], "unknown token")
        print(f"{unknown}; perplexity of the others {scores.known_perplexity:.2f}")


def _report(model: NgramModel, built: Built, out: Path, spent: float) -> None:
    """Storage and sparsity by order, and what it took."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    found = built.sparsity
    held_out = found[0].unseen is not None
    names = ["n", "n-grams", "seen\nonce", "expected\nunseen", "kept", "MB", "bytes\neach"]
    names[4:4] = ["unseen\nin dev", "impossible\nsentences"] * held_out
    # Narrow, so that counts of eight digits fit in 80 columns.
    table = Table(*names, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    for column in table.columns:
        column.justify = "right"
    for n, (facts, (kept, size)) in enumerate(zip(found, model.sizes, strict=True), start=1):
        shares = [facts.once / max(1, facts.ngrams), facts.expected]
        shares += [facts.unseen or 0.0, facts.impossible or 0.0] * held_out
        cells = [f"{n}", f"{facts.ngrams:,}", *(f"{share:.1%}" for share in shares)]
        table.add_row(*cells, f"{kept:,}", f"{size / 1e6:.1f}", f"{size / max(1, kept):.1f}")
    Console(stderr=True).print(table)
    print(
        f"{count(built.words, 'word')} of {count(built.sentences, 'sentence')}, {len(built.vocabulary):,} different, "
        f"in {spent:.1f} s; written to {out} ({out.stat().st_size / 1e6:.1f} MB)",
        file=sys.stderr,
    )


@contextmanager
def _stages() -> Iterator[Any]:
    """What is being done and for how long, where someone looks."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(),
        console=console, transient=True, disable=not console.is_terminal,
    ) as progress:  # fmt: skip
        task = progress.add_task("", total=None)
        yield lambda stage: progress.reset(task, description=stage)


def _thresholds(prune: str, order: int) -> list[int]:
    cells = prune.replace(",", " ").split()
    if not cells or len(cells) > order or not all(cell.isdigit() for cell in cells):
        raise ConfigError(
            f"--prune lists at most {order} numbers, one for each order, as '0 0 1'; not '{prune}'"
        )
    return [int(cell) for cell in cells]
