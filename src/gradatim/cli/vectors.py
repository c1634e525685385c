"""`gradatim vectors`: look at word vectors, test them, convert them, draw them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gradatim.errors import ConfigError, DataError, MissingExtraError

if TYPE_CHECKING:
    import numpy as np

    from gradatim.vectors.table import WordVectors

app = typer.Typer(help="Look at word vectors, test them, convert them.", no_args_is_help=True)
Source = Annotated[
    str, typer.Argument(help="A GloVe or word2vec file (.txt, .bin; also .gz), a folder, or glove-6b-50d.")
]


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
        typer.Option(help="A folder of similarity sets (default: $GRADATIM_DATA/word_eval/word-sim)."),
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
        found += [("similarity", compare(vectors, path)) for path in sorted(folder.glob("*.txt"))]
    if file:
        found += [("analogies", result) for result in solve(vectors, file, limit=limit)]
    if not found:
        raise ConfigError(
            "nothing to test with: give --similarity FOLDER or --analogies FILE, or set GRADATIM_DATA"
        )
    if as_json:
        for kind, one in found:
            facts = {
                "test": kind,
                "name": one.name,
                "score": one.score,
                "covered": one.covered,
                "total": one.total,
            }
            print(json.dumps(facts))
        return
    table = Table("test", "", "score", "covered", "of", box=box.SIMPLE_HEAD)
    for kind, one in found:
        table.add_row(kind, one.name, f"{one.score:.1f}", f"{one.covered:,}", f"{one.total:,}")
    Console().print(table)


@app.command()
def convert(
    source: Source, target: Annotated[Path, typer.Argument(help="A .txt or .bin file of word2vec's format.")]
) -> None:
    """Write word vectors in word2vec's text or binary format."""
    from gradatim.vectors.files import save_vectors

    if target.suffix not in (".txt", ".bin"):
        raise ConfigError(f"{target}: vectors are written as .txt or .bin")
    if not target.parent.is_dir():
        raise DataError(f"no such folder: {target.parent}")
    save_vectors(target, _load(source))


@app.command()
def picture(
    source: Source,
    words: Annotated[list[str], typer.Argument(help="The words to draw.")],
    method: Annotated[str, typer.Option(help="pca or tsne.")] = "pca",
    out: Annotated[Path, typer.Option(help="The picture to write, a PNG.")] = Path("vectors.png"),
) -> None:
    """Draw words where their vectors lie, in two dimensions."""

    if method not in ("pca", "tsne"):
        raise ConfigError(f"--method is pca or tsne, not '{method}'")
    if len(words) < 3:
        raise ConfigError("a picture needs three words at least")
    chosen = _load(source).take(words)
    _draw(list(chosen.words), _flattened(chosen.unit, method), method, out)
    print(f"picture written to {out}")


def _load(source: str) -> WordVectors:
    from gradatim.data.catalog import resolve_vectors
    from gradatim.vectors.files import load_vectors

    return load_vectors(resolve_vectors(source))


def _given(path: Path | None, name: str) -> Path | None:
    """What the user named, or the benchmark's own where it lies."""
    if path is not None:
        if not path.exists():
            raise DataError(f"no such file or folder: {path}")
        return path
    data = os.environ.get("GRADATIM_DATA")
    known = Path(data) / "word_eval" / name if data else None
    return known if known and known.exists() else None


def _flattened(rows: Any, method: str) -> np.ndarray:
    """(words, width) on two axes: the principal ones, or t-SNE's (van der Maaten & Hinton 2008)."""
    try:
        from sklearn.decomposition import PCA
        from sklearn.manifold import TSNE
    except ImportError:
        raise MissingExtraError("gradatim vectors picture", "train") from None
    if method == "pca":
        flat: np.ndarray = PCA(2, random_state=0).fit_transform(rows)
    else:
        flat = TSNE(2, random_state=0, perplexity=min(30, (len(rows) - 1) / 3), init="pca").fit_transform(
            rows
        )
    return flat


def _draw(words: list[str], places: np.ndarray, method: str, out: Path) -> None:
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
    figure.savefig(out, dpi=150)
    plt.close(figure)
