"""How long each stage takes, in bounded memory."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

import numpy as np

WINDOW: Final = 4096
"""Newest durations that quantiles are taken over."""


@dataclass(slots=True)
class Latency:
    """Durations of one kind: count and maximum over all, quantiles over the newest ones."""

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
        """Count, total seconds, p50, p99 and maximum in ms."""
        if not self._window:
            return {"count": 0, "total_s": 0.0, "p50_ms": 0.0, "p99_ms": 0.0, "max_ms": 0.0}
        p50, p99 = np.percentile(np.fromiter(self._window, np.float64), [50, 99]) / 1e6
        return {
            "count": self.count,
            "total_s": round(self.total_ns / 1e9, 6),
            "p50_ms": round(float(p50), 4),
            "p99_ms": round(float(p99), 4),
            "max_ms": round(self.max_ns / 1e6, 4),
        }
