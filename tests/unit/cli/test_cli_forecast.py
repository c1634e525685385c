"""`gradatim forecast` from a file to a picture, a table and scores."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from gradatim.cli import app


def test_a_series_is_forecast(tmp_path: Path) -> None:
    values = np.sin(np.arange(160) * np.pi / 4) + np.random.default_rng(0).normal(0, 0.1, 160)
    file, out = tmp_path / "series.csv", tmp_path / "out"
    file.write_text("day,value\n" + "\n".join(f"d{i},{value:.4f}" for i, value in enumerate(values)))
    command = ["forecast", str(file), "--season", "8", "--epochs", "1", "--out", str(out), "--json"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    scores = json.loads(done.stdout)
    assert scores.keys() == {"network", "seasonal naive", "naive"}
    assert all(0 <= score["coverage"] <= 1 and score["mae"] > 0 for score in scores.values())
    assert (out / "forecast.png").read_bytes().startswith(b"\x89PNG")
    rows = list(csv.reader((out / "forecast.csv").read_text().splitlines()))
    assert rows[0] == ["step", "quantile_0.1", "quantile_0.5", "quantile_0.9"]
    assert len(rows) == 1 + 8
    assert all(float(low) <= float(middle) <= float(high) for _, low, middle, high in rows[1:])
    onto = CliRunner().invoke(app, [*command[:-2], str(file)])
    assert onto.exit_code == 2
    assert "is a file" in onto.output
    missing = CliRunner().invoke(app, ["forecast", str(tmp_path / "none.csv"), "--season", "8"])
    assert missing.exit_code == 2
