"""How long soaks and campaigns last: ``LINESCAN_LONG`` minutes each, about a quarter without it."""

from __future__ import annotations

import os

MINUTES = float(os.environ.get("LINESCAN_LONG", "0.25"))


def scaled(whole: int, least: int) -> int:
    """What is done ``whole`` times in a minute, and ``least`` times in any case."""
    return max(least, round(whole * min(MINUTES, 1.0)))
