"""`gradatim vectors`: learn word vectors, look at them, test them, convert them, draw them."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gradatim.cli import contexts
from gradatim.cli.picture import DRAWN, PICTURES, save_picture
from gradatim.cli.target import check_target
from gradatim.errors import ConfigError, DataError, MissingExtraError
from gradatim.progress import bar
from gradatim.wording import count

if TYPE_CHECKING:
    import numpy as np

    from gradatim.vectors.glove import Glove
    from gradatim.vectors.table import WordVectors
    from gradatim.vectors.word2vec import Word2Vec

app = typer.Typer(
    add_completion=False,
    help="Learn word vectors, look at them, test them, convert them.",
    no_args_is_help=True,
)
app.command(name="contexts")(contexts.command)
SUFFIXES = (".txt", ".bin")
Source = Annotated[
    str, typer.Argument(help="A GloVe or word2vec file (.txt, .bin; also .gz), a folder, or glove-6b-50d.")
]


@app.command()
def train(
    corpus: Annotated[list[str], typer.Argument(help="Text files, tables, folders of them, data set names.")],
    out: Annotated[Path, typer.Option(help="A .txt or .bin file, as word2vec's.")] = Path("vectors.bin"),
    width: Annotated[int, typer.Option(min=1, help="Numbers of a vector.")] = 100,
    window: Annotated[int | None, typer.Option(min=1, help="Words read on each side (5; GloVe 10).")] = None,
    negatives: Annotated[
        int | None, typer.Option(min=1, help="Words drawn for each that is there (5); not for GloVe.")
    ] = None,
    min_count: Annotated[int, typer.Option(min=1, help="Words that occur less often get no vector.")] = 5,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the text (5; GloVe 15).")] = None,
    glove: Annotated[
        bool, typer.Option("--glove", help="GloVe, from how often words stand together.")
    ] = False,
    cbow: Annotated[bool, typer.Option("--cbow", help="The words around together give the word.")] = False,
    raw: Annotated[
        bool,
        typer.Option("--raw", help="Lines are sentences, words stand between spaces; nothing is folded."),
    ] = False,
    text: Annotated[list[str] | None, typer.Option(help="Column of a table; repeat it for several.")] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Cores (default: all); 1 repeats to the bit.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Learn word vectors from text: skip-gram with negative sampling, CBOW, or GloVe."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # threads are ours; numpy is not imported yet
    from gradatim.data.plain import line_blocks
    from gradatim.engine.processor import available_cores
    from gradatim.vectors.corpus import read_words, sentences
    from gradatim.vectors.files import save_vectors
    from gradatim.vectors.table import WordVectors

    check_target(out, SUFFIXES)
    settings = _settings(
        glove, cbow, width=width, window=window, negatives=negatives, epochs=epochs, seed=seed
    )
    blocks = line_blocks(corpus, text or ())
    found = read_words(blocks if raw else sentences(blocks), min_count=min_count)
    cores = threads or available_cores()
    began = time.perf_counter()
    with bar("learning") as progress:
        table = settings.learn(found.ids, found.rows, found.counts, threads=cores, progress=progress)
    spent = time.perf_counter() - began
    save_vectors(out, WordVectors(found.words, table))
    print(
        f"{count(len(found.words), 'word')} from {len(found.ids):,}, "
        f"{len(found.ids) * settings.epochs / spent:,.0f} words/s; written to {out}",
        file=sys.stderr,
    )


@app.command()
def near(
    source: Source,
    expression: Annotated[str, typer.Argument(help="A word, or a sum: 'king - man + woman'.")],
    top: Annotated[int, typer.Option(min=1, help="How many words.")] = 10,
) -> None:
    """Print the words nearest to a word or to a sum of words, with their cosines."""
    for word, cosine in _load(source).near(expression, top):
        print(f"{word}\t{cosine:.4f}")


@app.command()
def evaluate(
    source: Source,
    similarity: Annotated[
        Path | None,
        typer.Option(
            help="A similarity set or a folder of them (default: $GRADATIM_DATA/word_eval/word-sim)."
        ),
    ] = None,
    analogies: Annotated[
        Path | None,
        typer.Option(help="A file of analogies (default: $GRADATIM_DATA/word_eval/questions-words.txt)."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Answers are among so many first words.")] = 300_000,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per test.")] = False,
) -> None:
    """Print the correlation with people's judgements and the share of analogies solved, with coverage."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from gradatim.pipelines.word_tests import Result
    from gradatim.pipelines.word_tests import analogies as solve
    from gradatim.pipelines.word_tests import similarity as compare

    folder, file = _given(similarity, "word-sim"), _given(analogies, "questions-words.txt")
    vectors = _load(source)
    found: list[tuple[str, Result]] = []
    if folder:
        found += [("similarity", compare(vectors, path)) for path in _sets(folder)]
    if file:
        found += [("analogies", result) for result in solve(vectors, file, limit=limit)]
    if not found:
        raise ConfigError(
            "nothing to test with: give --similarity FOLDER or --analogies FILE, or set GRADATIM_DATA"
        )
    if as_json:
        for kind, one in found:
            print(json.dumps({"test": kind, **asdict(one)}))
        return
    table = Table("test", "", "score", "covered", "of", box=box.SIMPLE_HEAD)
    for kind, one in found:
        score = "-" if one.score is None else f"{one.score:.1f}"
        table.add_row(kind, one.name, score, f"{one.covered:,}", f"{one.total:,}")
    Console().print(table)


def _sets(folder: Path) -> list[Path]:
    """The similarity sets in a folder, or the one that is named."""
    sets = sorted(folder.glob("*.txt")) if folder.is_dir() else [folder]
    if not sets:
        raise DataError(
            f"{folder} holds no similarity set, a .txt file of two words and a score on each line"
        )
    return sets


@app.command()
def convert(
    source: Source, target: Annotated[Path, typer.Argument(help="A .txt or .bin file of word2vec's format.")]
) -> None:
    """Write word vectors in word2vec's text or binary format."""
    from gradatim.vectors.files import save_vectors

    check_target(target, SUFFIXES)
    save_vectors(target, _load(source))


@app.command()
def picture(
    source: Source,
    words: Annotated[list[str], typer.Argument(help="The words to draw.")],
    method: Annotated[str, typer.Option(help="pca or tsne.")] = "pca",
    out: Annotated[Path, typer.Option(help=DRAWN)] = Path("vectors.png"),
) -> None:
    """Draw words where their vectors lie, in two dimensions."""
    words = list(dict.fromkeys(words))
    if method not in ("pca", "tsne"):
        raise ConfigError(f"--method is pca or tsne, not '{method}'")
    check_target(out, PICTURES)
    if len(words) < 3:
        raise ConfigError("a picture needs three words at least, all different")
    chosen = _load(source).take(words)
    _draw(list(chosen.words), *_flattened(chosen.unit, method), method, out)
    print(f"picture written to {out}")


def _settings(glove: bool, cbow: bool, **given: int | None) -> Glove | Word2Vec:
    """How to learn; what is not given is the method's own."""
    from gradatim.vectors.glove import Glove
    from gradatim.vectors.word2vec import Word2Vec

    if glove and cbow:
        raise ConfigError("--glove and --cbow are two ways to learn: choose one")
    chosen = {name: value for name, value in given.items() if value is not None}
    if glove and "negatives" in chosen:
        raise ConfigError("--negatives is of skip-gram and CBOW: GloVe draws no words")
    if glove:
        return Glove(**chosen)
    rate = 0.05 if cbow else 0.025  # as word2vec's code has them
    return Word2Vec(**chosen, cbow=cbow, rate=rate)


def _load(source: str) -> WordVectors:
    from gradatim.data.catalog import resolve_data
    from gradatim.vectors.files import load_vectors

    return load_vectors(resolve_data(source, "vectors"))


def _given(path: Path | None, name: str) -> Path | None:
    """What the user named, or the benchmark's own where it lies."""
    if path is not None:
        if not path.exists():
            raise DataError(f"no such file or folder: {path}")
        return path
    data = os.environ.get("GRADATIM_DATA")
    known = Path(data) / "word_eval" / name if data else None
    return known if known and known.exists() else None


def _flattened(rows: Any, method: str) -> tuple[np.ndarray, list[str]]:
    """(words, width) on two axes, the principal ones or t-SNE's (van der Maaten & Hinton 2008), and what these say."""
    try:
        from sklearn.decomposition import PCA
        from sklearn.manifold import TSNE
    except ImportError:
        raise MissingExtraError("gradatim vectors picture", "train") from None
    if method == "pca":
        axes = PCA(2, random_state=0)
        flat: np.ndarray = axes.fit_transform(rows)
        return flat, [f"{share:.0%} of the variance" for share in axes.explained_variance_ratio_]
    near = min(30, (len(rows) - 1) / 3)
    return TSNE(2, random_state=0, perplexity=near, init="pca").fit_transform(rows), []


def _draw(words: list[str], places: np.ndarray, axes: list[str], method: str, out: Path) -> None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    figure, axis = plt.subplots(figsize=(8, 6), layout="constrained")
    axis.scatter(*places.T, s=12)
    for word, (x, y) in zip(words, places, strict=True):
        axis.annotate(word, (x, y), xytext=(4, 3), textcoords="offset points", fontsize=9)
    names = {"pca": "principal axes", "tsne": "t-SNE"}
    axis.set_title(f"Word vectors, {names[method]}", loc="left")
    axis.spines[["top", "right"]].set_visible(False)
    if axes:
        axis.set_xlabel(axes[0])
        axis.set_ylabel(axes[1])
    else:  # only who is near whom means anything
        axis.set(xticks=[], yticks=[])
    save_picture(figure, out, bbox_inches="tight")
    plt.close(figure)
