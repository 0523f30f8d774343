"""Times, durations and sizes as people write them."""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import Final

from linescan.errors import LinescanError

_UNITS_S: Final = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_UNITS_BYTES: Final = {"": 1, "k": 10**3, "kb": 10**3, "m": 10**6, "mb": 10**6} | {
    "g": 10**9,
    "gb": 10**9,
    "t": 10**12,
    "tb": 10**12,
}
_QUANTITY: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([a-zA-Z]*)\s*")


def duration_ns(option: str, text: str) -> int:
    """A duration such as 90s, 30m, 36h or 14d, in ns.

    Raises:
        LinescanError: it is none.
    """
    found = _QUANTITY.fullmatch(text)
    if not found or found[2].lower() not in _UNITS_S:
        raise LinescanError(f"{option} {text}: expected a duration, such as 90s, 30m, 36h or 14d")
    return int(float(found[1]) * _UNITS_S[found[2].lower()] * 1e9)


def moment_ns(option: str, text: str | None) -> int | None:
    """A local time, or a duration before now, as ns since 1970; None stays None.

    Raises:
        LinescanError: it is neither.
    """
    if text is None:
        return None
    if _QUANTITY.fullmatch(text):
        return time.time_ns() - duration_ns(option, text)
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1e9)
    except (ValueError, OverflowError, OSError):
        raise LinescanError(
            f"{option} {text}: expected a time, such as 2026-03-01T14:30 or"
            f" 2026-03-01T14:30:05+01:00, or how long ago, such as 2h"
        ) from None


def size_bytes(option: str, text: str) -> int:
    """A size such as 500MB or 20GB (1 GB is 10^9 bytes).

    Raises:
        LinescanError: it is none.
    """
    found = _QUANTITY.fullmatch(text)
    if not found or found[2].lower() not in _UNITS_BYTES:
        raise LinescanError(f"{option} {text}: expected a size, such as 500MB or 20GB")
    return int(float(found[1]) * _UNITS_BYTES[found[2].lower()])


def name_size(size: int) -> str:
    """A size for people, in the largest unit that leaves something before the point."""
    for factor, unit in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} bytes"


def name_moment(ns: int) -> str:
    """A local time for people."""
    return datetime.fromtimestamp(ns / 1e9).astimezone().strftime("%Y-%m-%d %H:%M:%S")
