"""`gradatim vectors contexts`: one word in many sentences, each time with the vector that its context gives it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gradatim.cli.picture import DRAWN, PICTURES, save_picture
from gradatim.cli.target import check_target
from gradatim.errors import DataError, need_training
from gradatim.wording import count

if TYPE_CHECKING:
    import numpy as np

MOST = 40  # occurrences of each source


def command(
    model: Annotated[
        str, typer.Argument(help="A model folder, catalog name or hub id: ELMo, BERT, GPT, an LSTM.")
    ],
    word: Annotated[str, typer.Argument(help="The word, bank for example.")],
    sources: Annotated[list[str], typer.Argument(help="Text, a sentence a line; each source gets a colour.")],
    layer: Annotated[int, typer.Option(help="Whose states; 0 is the embedding, -1 the last.")] = -1,
    out: Annotated[Path, typer.Option(help=DRAWN)] = Path("contexts.png"),
) -> None:
    """Draw the vectors of a word by context: of static vectors all would lie in one point."""
    need_training("gradatim vectors contexts")
    import numpy as np

    from gradatim.checkpoint.folder import read_model, tokenizer_json
    from gradatim.data import resolve_model
    from gradatim.data.plain import plain_texts
    from gradatim.models.contexts import occurrences
    from gradatim.models.encoders import encoder_for

    check_target(out, PICTURES)
    folder = resolve_model(model)
    read = read_model(folder, bare=True)
    body: Any = getattr(read.model, "body", read.model)
    encoder = encoder_for(body.config, tokenizer_json(folder), max_length=body.config.longest or 512)
    rows: list[np.ndarray] = []
    labels: list[str] = []
    groups: list[int] = []
    for number, source in enumerate(sources):
        lines = [line for _, text in plain_texts(source, ()) for line in text.split("\n") if line.strip()]
        every = occurrences(body, encoder, lines, word, layer=layer)
        found = every[:MOST]
        rows += [one.vector for one in found]
        labels += [one.around for one in found]
        groups += [number] * len(found)
        drawn = f", the first {MOST} of them drawn" * (len(every) > MOST)
        print(f"{source}: {count(len(every), 'time')} {word!r}{drawn}")
    if len(rows) < 3:
        raise DataError(f"{word!r} occurs {count(len(rows), 'time')}: three at least make a picture")
    _draw(np.stack(rows), labels, groups, sources, word, out)
    print(f"picture written to {out}")


def _draw(
    rows: np.ndarray, labels: list[str], groups: list[int], sources: list[str], word: str, out: Path
) -> None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt
    from sklearn.decomposition import PCA

    places = PCA(2, random_state=0).fit_transform(rows)
    figure, axis = plt.subplots(figsize=(10, 6.5), layout="constrained")
    for number, source in enumerate(sources):
        own = [i for i, group in enumerate(groups) if group == number]
        axis.scatter(*places[own].T, s=18, color=f"C{number}", label=Path(source).stem)
    axis.set_title(f"{word!r} by context, on the principal axes of its vectors", loc="left")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False)
    said = [
        axis.annotate(
            label, place, xytext=(4, 3), textcoords="offset points", fontsize=7.5, color=f"C{group}"
        )
        for place, label, group in zip(places, labels, groups, strict=True)
    ]
    figure.canvas.draw()
    figure.set_layout_engine("none")  # what is left out from here on moves nothing
    taken: list[Any] = []
    for text in said:
        box = text.get_window_extent()
        if any(box.overlaps(other) for other in taken):
            text.remove()  # the point is enough where others say what it is about
        else:
            taken.append(box)
    save_picture(figure, out, bbox_inches="tight")
    plt.close(figure)
