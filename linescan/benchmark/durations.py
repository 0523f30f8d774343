"""Durations in figures that people compare."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def percentiles(durations_ns: Sequence[int]) -> dict[str, float]:
    """Median, p95, p99, largest and least, in ms with three decimals.

    Args:
        durations_ns: at least one.
    """
    ms = np.asarray(durations_ns, np.float64) / 1e6
    p50, p95, p99 = np.percentile(ms, [50, 95, 99])
    figures = {
        "median_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "max_ms": ms.max(),
        "min_ms": ms.min(),
    }
    return {name: round(float(value), 3) for name, value in figures.items()}


def in_ms(durations_ns: Sequence[int]) -> list[float]:
    """Each duration in ms with three decimals."""
    return [round(duration / 1e6, 3) for duration in durations_ns]
