"""Laws fitted to times, where layers cross, and the command that measures them."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gradatim.cli import app
from gradatim.train.complexity import Cost, crossover, fit


def costs() -> list[Cost]:
    """Times that follow n^2 d and n d^2 exactly, at one rate: they cross where n = d."""
    sizes = (64, 128, 256, 512, 1024)
    return [
        Cost(name, length, width, 1e-6 * length**one * width**other)
        for length, width in product(sizes, sizes)
        for name, one, other in (("self-attention", 2, 1), ("recurrent", 1, 2))
    ]


def test_exponents_are_found() -> None:
    laws = fit(costs())
    assert laws.keys() == {"self-attention", "recurrent"}
    for law in laws.values():
        assert (law.by_length, law.by_width) == pytest.approx(law.theory)
        assert law.factor == pytest.approx(1e-6)


def test_calls_too_short_to_be_about_the_layer_are_left_out() -> None:
    short = [Cost("recurrent", 2, 64 * i, 1e-5) for i in range(1, 4)]
    assert fit([*costs(), *short])["recurrent"].by_length == pytest.approx(1)
    assert not fit(short)


def test_layers_cross_where_theory_says() -> None:
    found = crossover(costs(), "self-attention", "recurrent")
    for width, length in found.items():
        assert length == pytest.approx(width, rel=0.01)
    assert set(found) >= {64 * 2, 256, 512}


def test_the_command_measures_and_draws(tmp_path: Path) -> None:
    sizes = ["--length", "64", "--length", "512", "--width", "64", "--width", "128", "--threads", "1"]
    result = CliRunner().invoke(
        app, ["bench", "layers", *sizes, "--json", "--png", str(tmp_path / "layers.png")]
    )
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert len(found["costs"]) == 16
    assert all(cost["seconds"] > 0 for cost in found["costs"])
    assert (tmp_path / "layers.png").read_bytes()[:4] == b"\x89PNG"
    assert CliRunner().invoke(app, ["bench", "layers", "--width", "100"]).exit_code != 0
