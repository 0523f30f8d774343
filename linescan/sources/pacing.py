"""Lines at a rate, against an absolute schedule: a late block does not make all later ones late."""

from __future__ import annotations

import threading
import time
from typing import Literal


class Pacer:
    """Waits until lines are due, or not at all at the rate ``max``."""

    def __init__(self, rate: float | Literal["max"]) -> None:
        self._rate = None if rate == "max" else rate
        self._stopped = threading.Event()
        self._began: float | None = None
        self._lines = 0

    @property
    def stopped(self) -> bool:
        """Whether ``stop`` was called."""
        return self._stopped.is_set()

    def wait(self, lines: int) -> bool:
        """Wait until so many more lines would have come; False once stopped."""
        if self._rate is None or self._stopped.is_set():
            return not self._stopped.is_set()
        if self._began is None:
            self._began = time.monotonic()
        self._lines += lines
        due = self._began + self._lines / self._rate
        return not self._stopped.wait(max(0.0, due - time.monotonic()))

    def stop(self) -> None:
        """End every wait, now and later."""
        self._stopped.set()
