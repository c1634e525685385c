"""Numbers as people read them: the same wording in the terminal, the report and the card."""

from __future__ import annotations

from gradatim.ladder.records import Interval, Row

PERCENT = {"accuracy", "macro_f1", "micro_f1", "f1", "exact_match"}
NAMES = {
    "macro_f1": "macro-F1",
    "micro_f1": "micro-F1",
    "f1": "F1",
    "exact_match": "exact match",
    "answered_f1": "F1 of those with an answer",
    "no_answer": "nothing said where there is no answer",
    "bleu": "BLEU",
    "chrf": "chrF",
    "rouge1": "ROUGE-1",
    "rouge2": "ROUGE-2",
    "rougeL": "ROUGE-L",
    "matthews": "Matthews correlation",
}
# Shares that everyone tells in hundredths, without a unit.
POINTS = {"bleu", "chrf", "rouge1", "rouge2", "rougeL"}
LIMITED = {"p95 ms": "--max-ms", "MB": "--max-mb", "RAM MB": "--max-ram-mb"}  # columns and their options


def row_figures(row: Row, metric: str) -> dict[str, str]:
    """Column header -> figure: what the tables in the terminal and in the report have in common."""
    seen = row.measurement
    return {
        metric_name(metric): quality(seen.quality, metric),
        "95 %": span(row.quality, metric),
        "p50 ms": short(seen.p50_ms),
        "p95 ms": short(seen.p95_ms),
        "texts/s": f"{seen.texts_per_s:,.0f}",
        "MB": short(seen.size_mb),
        "RAM MB": f"{seen.peak_mb:,.0f}",
        "start s": f"{seen.cold_start_s:.2f}",
        "train": seconds(row.candidate.made_s),
    }


def metric_name(metric: str) -> str:
    """The metric's name in prose."""
    return NAMES.get(metric, metric)


def with_unit(metric: str) -> str:
    """The label of an axis: `accuracy (%)`."""
    return metric_name(metric) + " (%)" * (metric in PERCENT)


def percent(share: float, digits: int = 1) -> str:
    """`85.9 %`."""
    return f"{100 * share:.{digits}f} %"


def quality(value: float, metric: str) -> str:
    """`85.9 %` for shares, `34.2` for points, `0.712` for the rest."""
    if metric in POINTS:
        return f"{100 * value:.1f}"
    return percent(value) if metric in PERCENT else f"{value:.3f}"


def span(interval: Interval, metric: str) -> str:
    """`83.5–88.1`, without the unit."""
    if metric in PERCENT | POINTS:
        return f"{100 * interval.low:.1f}–{100 * interval.high:.1f}"
    return f"{interval.low:.3f}–{interval.high:.3f}"


def short(value: float) -> str:
    """Two or three significant digits and no exponent: `0.043`, `0.92`, `8.4`, `17`, `1,240`."""
    size = abs(value)
    digits = 0 if size >= 9.95 else 1 if size >= 0.995 else 2 if size >= 0.0995 else 3
    return f"{value:,.{digits}f}"


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
    whole = round(value) if value < 3599.5 else 60 * round(value / 60)
    parts = {"h": whole // 3600, "min": whole // 60 % 60, "s": whole % 60}
    return " ".join(f"{number} {unit}" for unit, number in parts.items() if number)
