"""Forecasts of series: naive ones by hand, learned ones on a series that can be learned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gradatim.data.series import load_series
from gradatim.errors import DataError
from gradatim.models.forecaster import Forecaster
from gradatim.nn.packed import Layout
from gradatim.train.forecasting import Frame, Learned, forecast, judge, naive, try_out
from gradatim.types import Array


def wave(length: int = 600, season: int = 12, noise: float = 0.1) -> Array:
    """A season on a rising line, with noise."""
    moments = np.arange(length)
    return (
        np.sin(2 * np.pi * moments / season)
        + 0.01 * moments
        + np.random.default_rng(0).normal(0, noise, length)
    )


def test_the_frame_knows_only_what_came_before() -> None:
    values = np.arange(10.0) ** 2
    frame = Frame.of(values, 3)
    features, targets = frame.known(values)
    assert len(features) == len(targets) == 6
    np.testing.assert_allclose(targets * frame.unit + frame.drift, values[4:] - values[1:7])
    np.testing.assert_allclose(features[:, 0] * frame.unit + frame.drift, values[3:9] - values[:6], rtol=1e-6)
    np.testing.assert_allclose(features[:, 1] * frame.unit, values[3:9] - values[1:7], rtol=1e-6)
    np.testing.assert_allclose(
        features[:, 2] * frame.deviation + frame.mean, values[1:7], rtol=1e-5, atol=1e-5
    )
    changed, _ = frame.known(np.concatenate([values[:-1], [-1000.0]]))
    np.testing.assert_array_equal(changed, features)  # the last value is only asked for


def test_naive_forecasts_repeat_and_their_intervals_are_those_of_their_errors() -> None:
    values = np.tile([1.0, 5.0, 2.0], 20) + np.repeat(np.arange(20.0), 3)
    found = naive(values, np.array([45, 46]), lag=3, horizon=5, learned=45)
    np.testing.assert_array_equal(found[0, :, 1], [*values[42:45], *values[42:44]])
    np.testing.assert_array_equal(found[1, :, 1], [*values[43:46], *values[43:45]])
    np.testing.assert_allclose(found[0, :3, 0] - found[0, :3, 1], 1.0)  # a season adds 1, always
    np.testing.assert_allclose(found[0, 3:, 2] - found[0, 3:, 1], 2.0)
    last = naive(values, np.array([45]), lag=1, horizon=4, learned=45)
    np.testing.assert_array_equal(last[0, :, 1], np.full(4, values[44]))


def test_scores_by_hand() -> None:
    forecasts = np.array([[[0.0, 1.0, 2.0], [0.0, 1.0, 2.0]]])
    score = judge(forecasts, np.array([[1.5, 3.0]]), 2.0)
    assert score.mae == pytest.approx(1.25)
    assert score.mase == pytest.approx(0.625)
    assert score.coverage == 0.5
    assert score.width == 2.0
    # At levels 0.1, 0.5, 0.9 the losses are 0.15, 0.25, 0.05 and 0.3, 1.0, 0.9.
    assert score.loss == pytest.approx((0.15 + 0.25 + 0.05 + 0.3 + 1.0 + 0.9) / 6)


def test_a_season_with_a_trend_is_learned() -> None:
    trial = try_out(wave(), 12, horizon=12, context=48, epochs=10)
    network, repeated = trial.scores["network"], trial.scores["seasonal naive"]
    assert network.mae < 0.9 * repeated.mae
    assert network.loss < repeated.loss
    assert network.mase < 1 < trial.scores["naive"].mase
    assert 0.55 < network.coverage < 0.97
    assert trial.forecasts["network"].shape == (len(trial.origins), 12, 3)
    assert (np.diff(trial.forecasts["network"], axis=-1) >= 0).all()


def test_a_trend_far_above_the_noise_is_gone_on_with() -> None:
    rising = 40 * wave(240, noise=0.0) + np.random.default_rng(0).normal(0, 0.3, 240)  # 4.8 a season
    scores = try_out(rising, 12, horizon=12, context=48, epochs=3).scores
    assert scores["network"].mae < 0.25 * scores["seasonal naive"].mae
    assert scores["network"].coverage > 0.5


def test_a_forecast_reads_nothing_after_its_origin_and_repeats() -> None:
    torch.manual_seed(0)
    values = wave(100)
    learned = Learned(Forecaster(5).eval(), Frame.of(values, 12), context=24)
    other = np.concatenate([values[:80], np.full(20, 1e6)])
    one, two = (forecast(learned, given, np.array([60, 80]), horizon=5) for given in (values, other))
    np.testing.assert_array_equal(one, two)
    wider = forecast(replace(learned, stretch=2.0), values, np.array([60, 80]), horizon=5)[0]
    np.testing.assert_allclose(wider[:, 1], one[0, :, 1])
    np.testing.assert_allclose(wider[:, 2] - wider[:, 0], 2 * (one[0, :, 2] - one[0, :, 0]))


def test_the_distribution_is_proper_whatever_the_network_says() -> None:
    raw = torch.tensor([[0.0, -1e4, -1e4], [1e3, 50.0, 50.0]])
    drawn = Forecaster.distribution(raw)
    assert (drawn.scale > 0).all()
    assert (drawn.df >= 2).all()
    model = Forecaster(3, 8)
    state = model.recurrent.begin(2)
    x = torch.randn(6, 3)
    model.eval()
    whole = model(x, Layout.of([3, 3]))
    first = model(x[[0, 3]], Layout.of([1, 1]), state)
    torch.testing.assert_close(first, whole[[0, 3]])


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_a_series_is_read_with_its_gaps_filled(tmp_path: Path) -> None:
    text = "year,co2\n" + "\n".join(f"{1950 + i},{'' if i == 3 else i * 2.0}" for i in range(12)) + "\n"
    series = load_series(write(tmp_path / "a.csv", text))
    np.testing.assert_array_equal(series.values, np.arange(12) * 2.0)
    assert series.labels[:2] == ("1950", "1951")
    assert "1 missing" in series.notes[1]


def test_what_is_missing_at_the_ends_is_not_made_up(tmp_path: Path) -> None:
    rows = ["d0,", "d1,1.5", "d2,", "d3,2.5", "d4,1", "d5,1", "d6,", "d7,"]
    series = load_series(write(tmp_path / "a.csv", "day,value\n" + "\n".join(rows) + "\n"), "value")
    np.testing.assert_array_equal(series.values, [1.5, 2.0, 2.5, 1, 1])
    assert series.labels == ("d1", "d2", "d3", "d4", "d5")
    assert "3 rows" in series.notes[1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,4\n3,2\n2,9\n", "'a', 'b'"),
        ("day,a\nmon,1\ntue,x\nwed,2\n", "line 3: 'x' is not a number"),
        ("day,a\nmon,one\ntue,two\nwed,2\n", "no column holds numbers"),
        ("day,a\n", "no column holds numbers"),
        ("day,a\nmon,1\ntue,\nwed,\nthu,2\nfri,\n", "2 of 4 values are missing"),
        ("day,a\n" + "x,1\n" * 3000 + "x,oops\n", "line 3002: 'oops' is not a number"),
        ("day,a\nx,1\nx,inf\n", "line 3: 'inf' is not finite"),
    ],
)
def test_a_bad_series_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        load_series(write(tmp_path / "a.csv", text))


def test_an_unknown_column_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="did you mean 'temp'"):
        load_series(write(tmp_path / "a.csv", "day,temp\na,1\nb,2\n"), "tmp")


def test_a_series_too_short_for_its_season_is_refused() -> None:
    with pytest.raises(DataError, match="too few"):
        try_out(wave(60), 24, horizon=2, context=10, epochs=1)
    with pytest.raises(DataError, match="shorter horizon"):
        try_out(wave(60), 12, horizon=20, context=10, epochs=1)
