"""Forecasts of a numeric series with intervals: learned, tried on its last part, and beside the naive ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from gradatim.errors import DataError
from gradatim.models.forecaster import Forecaster
from gradatim.nn.packed import Layout
from gradatim.objectives.series import SeriesLikelihood
from gradatim.train.loop import train
from gradatim.train.recipe import Recipe
from gradatim.types import Array

LEVELS = (0.1, 0.5, 0.9)  # the quantiles of a forecast: the outer ones bound an interval of 80 %
PATHS = 200  # futures drawn for each forecast
FEWEST = 4  # seasons that a series must have to learn from
CALIBRATED = 0.15  # share of a series on which the width of intervals is found


@dataclass(frozen=True, slots=True)
class Frame:
    """A series as the network sees it: each value as what it adds to the one a season before.

    At moment t are known r(t-1), z(t-s), z(t-1) - z(t-s) and the place in the season; asked for is
    r(t) = z(t) - z(t-s), r less its mean and divided by its deviation, z by its own, over what may be learned from.
    """

    season: int
    drift: float
    unit: float
    mean: float
    deviation: float

    @classmethod
    def of(cls, values: Array, season: int) -> Frame:
        """From the part of a series that may be learned from."""
        added = values[season:] - values[:-season]
        drift, mean = float(added.mean()), float(values.mean())
        return cls(season, drift, float(added.std()) or 1.0, mean, float(values.std()) or 1.0)

    @property
    def first(self) -> int:
        """The first moment about which enough is known."""
        return self.season + 1

    def features(self, before: Array, moments: Array) -> Array:
        """(rows, features) of these moments; `before` (rows, season + 1) are the values up to each."""
        last, ago = before[:, -1], before[:, 1]  # z(t-1), z(t-s)
        angle = 2 * np.pi * moments / self.season
        columns = [
            (last - before[:, 0] - self.drift) / self.unit, (last - ago) / self.unit,
            (ago - self.mean) / self.deviation,
            np.sin(angle), np.cos(angle),
        ]  # fmt: skip
        return np.stack(columns, axis=1).astype(np.float32)

    def known(self, values: Array) -> tuple[Array, Array]:
        """Features and targets of all moments from `first` on."""
        windows = np.lib.stride_tricks.sliding_window_view(values[:-1], self.season + 1)
        moments = np.arange(self.first, len(values))
        targets = (values[self.first :] - values[1 : -self.season] - self.drift) / self.unit
        return self.features(windows, moments), targets


@dataclass(frozen=True, slots=True)
class Score:
    """How forecasts did over all origins: the mean absolute error, and as `mase` beside that of the seasonal naive
    forecast within the part learned from (Hyndman & Koehler 2006); `coverage` is the share of values inside the 80 %
    interval, `width` its mean width, `loss` the mean quantile loss.
    """

    mae: float
    mase: float
    coverage: float
    width: float
    loss: float


@dataclass(frozen=True, slots=True)
class Trial:
    """Forecasts (origins, horizon, quantiles) of each method on a part that nothing was learned from."""

    origins: Array
    forecasts: dict[str, Array]
    scores: dict[str, Score]


@dataclass(frozen=True, slots=True)
class Learned:
    """A network that has read a series, and by how much its intervals must be wider (or narrower) than it says."""

    model: Forecaster
    frame: Frame
    context: int
    stretch: float = 1.0


def learn(
    values: Array, season: int, *, horizon: int, context: int, epochs: float, seed: int = 0,
    progress: Callable[[float], None] = lambda _share: None,
) -> Learned:  # fmt: skip
    """A network that has read the whole of `values`, in windows of `context` moments.

    How wide its intervals must be is found with a first network, on the last part of `values`, which that has not read
    (split conformal prediction, Papadopoulos et al. 2002, with the interval itself as the scale of an error).
    """
    held = max(2 * horizon, round(CALIBRATED * len(values)))
    known = len(values) - held
    stretch = 1.0
    if known >= FEWEST * season + 2:
        first = _trained(values[:known], season, context, epochs, seed, lambda share: progress(share / 2))
        origins = np.arange(known, len(values) - horizon + 1, max(1, horizon // 4))
        low, middle, high = np.moveaxis(forecast(first, values, origins, horizon=horizon, seed=seed), -1, 0)
        error = values[origins[:, None] + np.arange(horizon)] - middle
        room = np.where(error > 0, high - middle, middle - low)
        stretch = float(np.quantile(np.abs(error) / np.maximum(room, 1e-12), LEVELS[-1] - LEVELS[0]))
    done = _trained(values, season, context, epochs, seed, lambda share: progress((1 + share) / 2))
    return replace(done, stretch=stretch)


def _trained(
    values: Array, season: int, context: int, epochs: float, seed: int, progress: Callable[[float], None]
) -> Learned:
    if len(values) < FEWEST * season + 2:
        raise DataError(
            f"{len(values)} values are too few to learn a season of {season} from: at least {FEWEST * season + 2}"
        )
    torch.manual_seed(seed)
    frame = Frame.of(values, season)
    features, targets = frame.known(values)
    model = Forecaster(features.shape[1])
    objective = SeriesLikelihood(features, targets, length=context, stride=max(1, context // 8))
    recipe = Recipe(
        epochs=epochs, batch_size=16, rate=3e-3, schedule="cosine", average=0.2, seed=seed, precision="fp32"
    )
    train(model, objective, recipe, progress=progress)
    return Learned(model.eval(), frame, context)


@torch.inference_mode()
def forecast(learned: Learned, values: Array, origins: Array, *, horizon: int, seed: int = 0) -> Array:
    """Quantiles `LEVELS` (origins, horizon, levels) of the values from each origin on, from those before it.

    Futures are drawn step by step, each step on what the one before gave.
    """
    model, frame, context = learned.model, learned.frame, learned.context
    rng = np.random.default_rng(seed)
    features, _ = frame.known(values[: int(origins.max())])
    begins = np.maximum(origins - frame.first - context, 0)
    ends = origins - frame.first
    rows = [features[begin:end] for begin, end in zip(begins, ends, strict=True)]
    state = model.recurrent.begin(len(origins))
    model(torch.from_numpy(np.concatenate(rows)), Layout.of(ends - begins), state)
    state = state.reorder(torch.arange(len(origins)).repeat_interleave(PATHS))
    before = np.stack([values[origin - frame.season - 1 : origin] for origin in origins]).repeat(
        PATHS, axis=0
    )
    moments, one_each = origins.repeat(PATHS), Layout.of(np.ones(len(before), dtype=np.int64))
    paths = np.empty((len(before), horizon))
    for step in range(horizon):
        known = torch.from_numpy(frame.features(before, moments + step))
        drawn = model.distribution(model(known, one_each, state))
        added = drawn.loc.numpy() + drawn.scale.numpy() * rng.standard_t(drawn.df.numpy())
        paths[:, step] = before[:, 1] + frame.drift + frame.unit * added
        before = np.concatenate([before[:, 1:], paths[:, step, None]], axis=1)
    found: Array = np.moveaxis(
        np.quantile(paths.reshape(len(origins), PATHS, horizon), LEVELS, axis=1), 0, -1
    )
    middle = found[..., 1:2]
    return middle + learned.stretch * (found - middle)


def look_ahead(
    values: Array, season: int, *, horizon: int, context: int, epochs: float, seed: int = 0,
    progress: Callable[[float], None] = lambda _share: None,
) -> Array:  # fmt: skip
    """Quantiles `LEVELS` (horizon, levels) of the values after the last, by a network that has read all of them."""
    settings: dict[str, Any] = {"horizon": horizon, "context": context, "epochs": epochs, "seed": seed}
    learned = learn(values, season, progress=progress, **settings)
    found: Array = forecast(learned, values, np.array([len(values)]), horizon=horizon, seed=seed)[0]
    return found


def naive(values: Array, origins: Array, *, lag: int, horizon: int, learned: int) -> Array:
    """The value `lag` before, again and again, with the quantiles of its errors on the first `learned` moments."""
    steps = np.arange(horizon)
    back = lag * (steps // lag + 1) - steps  # how far before the origin the value stands that is repeated
    points = values[origins[:, None] - back]
    errors = [
        np.quantile(
            values[lag + step : learned] - values[lag - back[step] : learned - step - back[step]], LEVELS
        )
        for step in steps
    ]
    found: Array = points[..., None] + np.array(errors)
    found[..., 1] = points
    return found


def judge(forecasts: Array, actual: Array, unit: float) -> Score:
    """The scores of forecasts (origins, horizon, levels); `unit` is what the mean error is divided by."""
    low, middle, high = np.moveaxis(forecasts, -1, 0)
    over = actual[..., None] - forecasts
    levels = np.array(LEVELS)
    error = float(np.abs(actual - middle).mean())
    return Score(
        mae=error,
        mase=error / unit,
        coverage=float(((actual >= low) & (actual <= high)).mean()),
        width=float((high - low).mean()),
        loss=float(np.maximum(levels * over, (levels - 1) * over).mean()),
    )


def try_out(
    values: Array, season: int, *, horizon: int, context: int, epochs: float, share: float = 0.2, seed: int = 0,
    progress: Callable[[float], None] = lambda _share: None,
) -> Trial:  # fmt: skip
    """Learn from all but the last `share` of a series, and forecast that from one origin after the other."""
    learned = round(len(values) * (1 - share))
    fewest = math.ceil(max((FEWEST * season + 2) / (1 - share), horizon / share))
    if learned < FEWEST * season + 2 or len(values) - learned < horizon:
        raise DataError(
            f"{len(values)} values are too few to learn a season of {season} from and to try forecasts of {horizon} on "
            f"the last {share:.0%}: at least {fewest} are needed, or a shorter horizon"
        )
    origins = np.arange(learned, len(values) - horizon + 1, max(1, horizon // 2))
    settings: dict[str, Any] = {"horizon": horizon, "context": context, "epochs": epochs, "seed": seed}
    network = learn(values[:learned], season, progress=progress, **settings)
    forecasts = {
        "network": forecast(network, values, origins, horizon=horizon, seed=seed),
        "seasonal naive": naive(values, origins, lag=season, horizon=horizon, learned=learned),
        "naive": naive(values, origins, lag=1, horizon=horizon, learned=learned),
    }
    actual = values[origins[:, None] + np.arange(horizon)]
    unit = float(np.abs(values[season:learned] - values[: learned - season]).mean()) or 1.0
    return Trial(origins, forecasts, {name: judge(found, actual, unit) for name, found in forecasts.items()})
