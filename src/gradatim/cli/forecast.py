"""`gradatim forecast`: what a numeric series will do next, with intervals, and how far that is to be believed."""

from __future__ import annotations

import csv
import io
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gradatim.cli.picture import save_picture
from gradatim.errors import ConfigError, need_training
from gradatim.progress import bar

if TYPE_CHECKING:
    from gradatim.data.series import Series
    from gradatim.train.forecasting import Trial

SHOWN = 4  # horizons before the forecast, in the picture
PICTURE, TABLE = "forecast.png", "forecast.csv"


def command(
    data: Annotated[
        str, typer.Argument(help="A table of one value a row, or a catalog name: mauna-loa-co2.")
    ],
    season: Annotated[
        int, typer.Option(min=1, help="Rows of a season: 12 of months, 24 of hours; 1 for none.")
    ],
    horizon: Annotated[
        int | None, typer.Option(min=1, help="Rows to look ahead (default: a season).")
    ] = None,
    column: Annotated[str | None, typer.Option(help="Column of the values.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="A folder for picture and table.")] = Path(
        "forecast"
    ),
    epochs: Annotated[float, typer.Option(help="Passes over the series.")] = 20,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="The scores, on stdout.")] = False,
) -> None:
    """Forecast a numeric series with a recurrent network, tried on its last fifth beside naive forecasts."""
    need_training("gradatim forecast")
    from gradatim.data.series import load_series
    from gradatim.train.forecasting import look_ahead, try_out

    if out.exists() and not out.is_dir():
        raise ConfigError(f"{out} is a file: --out names a folder")
    series = load_series(data, column)
    for note in series.notes:
        print(note, file=sys.stderr)
    ahead = horizon or max(2, season)
    context = max(4 * season, 2 * ahead)
    settings: dict[str, Any] = {"context": context, "epochs": epochs, "seed": seed}
    with bar("trying") as progress:
        trial = try_out(series.values, season, horizon=ahead, progress=progress, **settings)
    with bar("learning all") as progress:
        future = look_ahead(series.values, season, horizon=ahead, progress=progress, **settings)
    out.mkdir(parents=True, exist_ok=True)
    _write(out / TABLE, future)
    _draw(series, trial, future, out / PICTURE)
    scores = {name: asdict(score) for name, score in trial.scores.items()}
    if as_json:
        print(json.dumps(scores, indent=1))
    else:
        _show(scores, len(trial.origins), ahead)
        print(f"{out / PICTURE}, and the next {ahead} values in {out / TABLE}")


def _write(path: Path, future: Any) -> None:
    from gradatim.engine.atomic import output_file
    from gradatim.train.forecasting import LEVELS

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["step", *(f"quantile_{level:g}" for level in LEVELS)])
    writer.writerows([step, *(f"{value:.6g}" for value in row)] for step, row in enumerate(future, 1))
    with output_file(path) as handle:
        handle.write(text.getvalue().encode())


def _show(scores: dict[str, dict[str, float]], origins: int, horizon: int) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "", "error", "scaled", "in 80 % interval", "its width", "quantile loss", box=box.SIMPLE_HEAD,
        title=f"{origins} forecasts of {horizon} values that nothing was learned from", title_justify="left",
    )  # fmt: skip
    for column in table.columns[1:]:
        column.justify = "right"
    for name, score in scores.items():
        table.add_row(
            name, f"{score['mae']:.4g}", f"{score['mase']:.3f}", f"{score['coverage']:.0%}",
            f"{score['width']:.4g}", f"{score['loss']:.4g}",
        )  # fmt: skip
    Console().print(table)


def _draw(series: Series, trial: Trial, future: Any, out: Path) -> None:
    """Left a forecast on the part that nothing was learned from, right the one of what is not known yet."""
    import matplotlib

    matplotlib.use("agg")
    import numpy as np
    from matplotlib import pyplot as plt

    horizon, values = len(future), series.values
    middle = len(trial.origins) // 2
    tried = int(trial.origins[middle])
    figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    shown = [
        (tried, trial.forecasts["network"][middle], f"Tried from {series.labels[tried]}"),
        (len(values), future, f"After the end, {series.labels[-1]}"),
    ]
    for axis, (origin, quantiles, title) in zip(axes, shown, strict=True):
        before = np.arange(max(0, origin - SHOWN * horizon), min(len(values), origin + horizon))
        ahead = np.arange(origin, origin + horizon)
        axis.plot(before - origin, values[before], color="0.35", lw=1.2, label="what came")
        axis.fill_between(
            ahead - origin, quantiles[:, 0], quantiles[:, 2], color="C0", alpha=0.25, lw=0, label="80 %"
        )
        axis.plot(ahead - origin, quantiles[:, 1], color="C0", lw=1.6, label="network")
        if origin == tried:
            axis.plot(
                ahead - origin,
                trial.forecasts["seasonal naive"][middle][:, 1],
                "C1--",
                lw=1.2,
                label="seasonal naive",
            )
        axis.set_title(title, loc="left")
        axis.set_xlabel("steps ahead")
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False, fontsize=9)
    axes[0].set_ylabel(series.name)
    save_picture(figure, out)
    plt.close(figure)
