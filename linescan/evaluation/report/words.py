"""Figures as text."""

from __future__ import annotations

import math

from linescan.evaluation.judging.catalogue import Absent, Figure, Value

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
