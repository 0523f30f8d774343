"""Counters of a camera, followed across wraps, restarts and garbage."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

ID_WRAPS = (65535, 65536, 2**32)
"""Block ids of GigE Vision count from 1 to 65535 and then from 1 again; others use all of 16 or 32
bits."""
COUNTER_WRAPS = (2**32, 2**16)


class Track:
    """Says how far a counter is ahead of what was expected.

    A value that is behind, or further ahead than time allows, is not believed; the next value that
    follows on it makes it the new truth.

    Args:
        wraps: numbers of values after which the counter may begin again.
    """

    def __init__(self, wraps: Sequence[int]) -> None:
        self._wraps = wraps
        self._last = 0
        self._next: int | None = None
        self._rival: int | None = None
        self._zero = False
        self._turn: int | None = None

    @property
    def begun(self) -> bool:
        """Whether there is something to compare with."""
        return self._next is not None

    def ahead(self, value: int, most: float, *, anew: bool = False) -> int | None:
        """Units between what was expected and this value; None where it is not believed.

        Args:
            value: what came.
            most: units that can be missing.
            anew: the camera was opened anew. Many set their counters to 0 then, which looks like a
                wrap; and a narrow counter may have turned more than once.
        """
        if self._next is None or value == self._rival:
            return 0
        if anew and self._turn is not None and most >= self._turn:
            return None
        step = value - self._next
        if 0 <= step <= most:
            return step
        if step < 0:
            for wrap in self._wraps:
                if anew and wrap != self._turn:
                    continue
                # Ids that never were 0 begin again at 1; those that were, at 0.
                if self._last > wrap or value >= wrap + 1 or (self._zero and wrap % 2):
                    continue
                if step % wrap <= most:
                    return step % wrap
        return None

    def follow(self, value: int, units: int, *, believed: bool) -> None:
        """Expect what comes after this value.

        Args:
            value: what came.
            units: what it stands for: one block, or a block's lines.
            believed: what ``ahead`` said.
        """
        self._zero |= value == 0
        if believed and value != self._rival and self._next is not None and value < self._next:
            self._turn = min((w for w in self._wraps if w >= self._last), default=None)
        if believed or self._next is None or value == self._rival:
            self._last, self._next, self._rival = value, value + units, None
        else:
            self._next, self._rival = self._next + units, value + units

    def pass_over(self, units: int) -> None:
        """Something came that showed no value."""
        if self._next is not None:
            self._next += units

    def forget(self) -> None:
        """The counter begins anew."""
        self._next = self._rival = None


class TickTrack:
    """Lines from an encoder's position; learns how many ticks a line has.

    Attributes:
        per_line: signed ticks of a line, None as long as it is not known.
    """

    def __init__(self) -> None:
        self.per_line: float | None = None
        self._last: int | None = None

    def lines_since(self, first: int) -> int | None:
        """Lines between the last one seen and this one, by travel; None where that is unclear."""
        if self._last is None or not self.per_line:
            return None
        lines = round((first - self._last) / self.per_line) - 1
        return lines if lines >= 0 else None

    def reversed_by(
        self, ticks: tuple[int, int], every: npt.NDArray[np.int64] | None = None
    ) -> bool:
        """Whether the web ran backwards before or in a block; within it, ``every`` line tells."""
        if not self.per_line:
            return False
        before = ticks[0] if self._last is None else self._last
        within = every if every is not None and len(every) else np.array(ticks)
        steps = np.diff(within, prepend=before)
        return bool((steps * np.sign(self.per_line) < 0).any())

    def follow(self, ticks: tuple[int, int], rows: int) -> None:
        """Take a block's first and last position; learn from blocks that ran forwards."""
        self._last = ticks[1]
        if rows < 2 or ticks[0] == ticks[1]:
            return
        seen = (ticks[1] - ticks[0]) / (rows - 1)
        if self.per_line is None:
            self.per_line = seen
        elif seen * self.per_line > 0:
            self.per_line += (seen - self.per_line) / 8
