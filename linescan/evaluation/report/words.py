"""Figures as text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from linescan.evaluation.judging.catalogue import FIGURES, Absent, Figure, Value
from linescan.evaluation.judging.verdict import Verdict

UNITS = {"um": "µm", "mm": "mm"}
NONE = "—"


def figure_text(value: Value, *, digits: int = 3) -> str:
    """So many significant digits, without an exponent where it can be helped."""
    if isinstance(value, Absent):
        return NONE
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:.{places}f}" if places <= 6 else f"{value:.2e}"


def unit_text(figure: Figure, unit: str) -> str:
    """The unit of a figure on a data set of this unit; empty for a ratio."""
    return UNITS.get(unit, unit) if figure.unit == "height" else figure.unit


def missing(here: Sequence[Verdict]) -> Iterator[str]:
    """What is not known of a data set, and why: one sentence a reason and the models it is of."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for figure in FIGURES:
        found = {v.model.name: v.value(figure.key) for v in here}
        absent = {name: value for name, value in found.items() if isinstance(value, Absent)}
        for reason in dict.fromkeys(value.reason for value in absent.values()):
            names = [name for name, value in absent.items() if value.reason == reason]
            of = "" if len(names) == len(here) else f" of {', '.join(names)}"
            reasons.setdefault((of, reason), []).append(figure.title)
    for (of, reason), titles in reasons.items():
        yield f"{', '.join(titles)}{of}: {reason}"
