"""Waiting for conditions; the limit is for what never comes, not a measure of speed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

WAIT_S: Final = 60.0


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < deadline, f"did not come: {what}"
        time.sleep(0.02)
