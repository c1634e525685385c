"""Numbers as people read them: the same wording in the terminal, the report and the card."""

from __future__ import annotations

from gradatim.ladder.records import Interval, Row

PERCENT = {"accuracy", "macro_f1", "micro_f1", "f1"}
NAMES = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "micro_f1": "micro-F1",
    "f1": "F1",
    "matthews": "Matthews correlation",
    "log_loss": "log-loss",
    "ece": "expected calibration error",
}


def metric_name(metric: str) -> str:
    """The metric's name in prose."""
    return NAMES.get(metric, metric.replace("_", " "))


def percent(share: float, digits: int = 1) -> str:
    """`85.9 %`."""
    return f"{100 * share:.{digits}f} %"


def quality(value: float, metric: str) -> str:
    """`85.9 %` for shares, `0.712` for the rest."""
    return percent(value) if metric in PERCENT else f"{value:.3f}"


def span(interval: Interval, metric: str) -> str:
    """`83.5–88.1`, without the unit."""
    if metric in PERCENT:
        return f"{100 * interval.low:.1f}–{100 * interval.high:.1f}"
    return f"{interval.low:.3f}–{interval.high:.3f}"


def row_interval(row: Row) -> Interval:
    """The dev quality of a row with its interval."""
    return Interval(row.measurement.quality, row.measurement.low, row.measurement.high)


def short(value: float) -> str:
    """Two or three significant digits and no exponent: `0.043`, `0.92`, `8.4`, `17`, `1,240`."""
    size = abs(value)
    if size >= 99.5:
        return f"{value:,.0f}"
    digits = 0 if size >= 9.95 else 1 if size >= 0.995 else 2 if size >= 0.0995 else 3
    return f"{value:.{digits}f}"


def thousands(number: int) -> str:
    """`820`, `15.6 k`, `22.7 M`, `1.2 G`."""
    for power, unit in ((9, "G"), (6, "M"), (3, "k")):
        if number >= 10**power:
            return f"{number / 10**power:.1f}".removesuffix(".0") + f" {unit}"
    return str(number)


def seconds(value: float) -> str:
    """`0.4 s`, `48 s`, `3 min 20 s`, `1 h 5 min`."""
    if value < 9.95:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    minutes = round(value / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"


def fraction(ratio: float) -> str:
    """A ratio below one as a person says it: `1/6 of`, `70 % of`."""
    if ratio <= 0.55:
        return f"1/{round(1 / ratio):,} of"
    return f"{100 * ratio:.0f} % of"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """`1 text`, `1,234 texts`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
