"""How long things take, in bounded memory."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

import numpy as np

WINDOW: Final = 4096
"""Newest durations that quantiles are taken over."""


@dataclass(slots=True)
class Latency:
    """Durations of one kind: count and maximum over all, quantiles over the newest ones.

    One thread adds to it; any may ask for the summary.
    """

    count: int = 0
    total_ns: int = 0
    max_ns: int = 0
    _window: deque[int] = field(default_factory=lambda: deque(maxlen=WINDOW))

    def add(self, duration_ns: int) -> None:
        """Note one duration."""
        self.count += 1
        self.total_ns += duration_ns
        self.max_ns = max(self.max_ns, duration_ns)
        self._window.append(duration_ns)

    def summary(self) -> dict[str, float | int]:
        """Count, total seconds, p50, p95, p99 and maximum in ms; all 0 of no durations."""
        newest = np.array(self._window.copy() or [0], np.float64) / 1e6
        p50, p95, p99 = np.percentile(newest, [50, 95, 99]).tolist()
        return {
            "count": self.count,
            "total_s": round(self.total_ns / 1e9, 6),
            "p50_ms": round(p50, 4),
            "p95_ms": round(p95, 4),
            "p99_ms": round(p99, 4),
            "max_ms": round(self.max_ns / 1e6, 4),
        }
