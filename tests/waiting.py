"""Waiting for what another thread or process does: for a condition, with a generous deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

PATIENCE_S: Final = 45.0
"""Machines of CI are slow, shared, and stand still for seconds."""
PATIENCE_MS: Final = round(PATIENCE_S * 1000)


def wait_until(condition: Callable[[], bool], what: str = "what was waited for") -> None:
    """Wait until something is so.

    Raises:
        AssertionError: it does not come about.
    """
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come within {PATIENCE_S:g} s"
        time.sleep(0.005)
