"""Whether the application keeps up with the stream."""

from __future__ import annotations

from collections import deque
from typing import Final

WINDOW_S: Final = 60.0
GAPS: Final = 3
"""Gaps of an unbroken connection within the window that mean too slow."""
SHARE: Final = 200
"""Messages given, of which more than half came from the journal: too slow."""


class Pace:
    """Judges from gaps, and from where messages come, whether the application is too slow.

    A gap after a new connection, and what is fetched before the live stream was reached once, say
    nothing about the application.
    """

    def __init__(self) -> None:
        self._gaps: deque[float] = deque(maxlen=GAPS)
        self._sources: deque[bool] = deque(maxlen=SHARE)
        self._greetings = -1
        self._caught_up = False
        self._quiet_until = 0.0

    def gap(self, now: float, greetings: int) -> str | None:
        """A gap in the live stream, under the so manieth connection; the complaint, if any."""
        if greetings != self._greetings:
            self._greetings = greetings
            self._gaps.clear()
            return None
        self._gaps.append(now)
        if len(self._gaps) == GAPS and now - self._gaps[0] <= WINDOW_S:
            return self._complain(now, f"{GAPS} gaps within {now - self._gaps[0]:.0f} s")
        return None

    def given(self, now: float, *, fetched: bool) -> str | None:
        """A message was given; the complaint, if any."""
        self._caught_up = self._caught_up or not fetched
        if not self._caught_up:
            return None
        self._sources.append(fetched)
        late = sum(self._sources)
        if len(self._sources) == SHARE and 2 * late > SHARE:
            self._sources.clear()
            return self._complain(
                now, f"{late} of the last {SHARE} messages had to come from the journal"
            )
        return None

    def _complain(self, now: float, reason: str) -> str | None:
        """Once in a while, not each time."""
        if now < self._quiet_until:
            return None
        self._quiet_until = now + WINDOW_S
        return reason
