"""What a recipe refuses and when it computes in bfloat16."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gradatim.errors import ConfigError
from gradatim.train import precision
from gradatim.train.recipe import Recipe


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 0.0), ("epochs", float("nan")), ("batch_size", 0), ("max_tokens", -1), ("rate", 0.0),
        ("head_rate", 0.0), ("head_rate", -1e-3), ("clip", 0.0), ("layer_decay", 0.0), ("warmup", 1.0),
        ("warmup", -0.1), ("average", 1.5), ("weight_decay", -0.01), ("accumulate", 0), ("ema", 1.0),
        ("patience", -1), ("save_every", -1), ("save_every_s", 0.0), ("log_every", 0), ("evaluate_every", -2),
        ("seed", -1), ("epochs", float("inf")), ("rate", float("inf")),
    ],
)  # fmt: skip
def test_a_value_out_of_range_is_refused_by_its_field(field: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"^{field} "):
        Recipe(**{field: value})


def test_an_unknown_schedule_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'inverse_sqrt'"):
        Recipe(schedule="invers_sqrt")


def test_two_kinds_of_average_contradict() -> None:
    with pytest.raises(ConfigError, match="average, ema"):
        Recipe(average=0.2, ema=0.99)
    with pytest.raises(ConfigError, match="trigger"):
        Recipe(average=0.2, trigger=5)


def test_an_unknown_precision_is_refused() -> None:
    made = Recipe()
    object.__setattr__(made, "precision", "fp8")  # past the type checker that tests run under
    with pytest.raises(ConfigError, match="precision"):
        made.__post_init__()


def test_precision_follows_the_processor_only_when_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for native in (True, False):
        monkeypatch.setattr(precision, "bf16_pays", lambda device, native=native: native)
        assert Recipe().bf16() is native
        assert Recipe(precision="bf16").bf16() is True
        assert Recipe(precision="fp32").bf16() is False


def test_the_faster_precision_is_measured_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: True)
    for half, pays in ((1.0, True), (2.0, False), (3.0, False)):  # seconds in bf16, where fp32 takes 2
        monkeypatch.setenv("GRADATIM_CACHE", str(tmp_path / str(half)))
        taken = iter([half, 2.0])
        monkeypatch.setattr(precision, "_seconds", lambda dtype, taken=taken: next(taken))
        assert precision.bf16_pays() is pays
        assert precision.bf16_pays() is pays  # nothing is timed again: there are no more seconds
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: False)
    assert precision.bf16_pays() is False
