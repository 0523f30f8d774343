"""The encoder positions of all lines of a block, out of the chunk's own bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

KINDS: Final = ("<i8", ">i8", "<i4", ">i4", "<u4", ">u4")
"""How cameras store positions."""
LEAST_ROWS: Final = 8
"""Positions of fewer lines may stand somewhere else in a buffer by chance."""
TRIES: Final = 32
"""Blocks in which the positions are looked for before that is given up."""
CHECKED: Final = 2
"""Lines of a block, besides the first and the last, at which the bytes are checked."""

Ticks = npt.NDArray[np.int64]


class Positions:
    """Reads every line's position; GenApi, which takes microseconds a line, only checks some.

    A chunk's layout is the camera's own affair. So the first blocks are read line by line, and the
    same numbers looked for in the buffer; what is read there later is held against GenApi at the
    block's ends and some lines in between. Where it differs, the block is read line by line.

    Args:
        tick: GenApi's position of a line of the block; None where it has none.
    """

    def __init__(self, tick: Callable[[int], int | None]) -> None:
        self._tick = tick
        self._place: tuple[str, int] | None = None
        self._tries = 0
        self._turn = 0

    def read(self, memory: Any, rows: int) -> Ticks | None:
        """(rows,) positions; None where the block does not carry them.

        Args:
            memory: the buffer's bytes.
            rows: lines of the block.
        """
        if self._place is not None:
            ticks = _at(memory, *self._place, rows)
            if ticks is not None and self._right(ticks):
                return ticks
        ticks = self._each(rows)
        if ticks is not None and len(ticks) >= LEAST_ROWS and ticks[0] != ticks[-1]:
            self._look(memory, ticks)
        return ticks

    def _right(self, ticks: Ticks) -> bool:
        """Whether GenApi says the same, at the ends and at other lines in each block."""
        last = len(ticks) - 1
        self._turn += 1
        inside = [(self._turn * CHECKED + k) * 7919 % len(ticks) for k in range(CHECKED)]
        return all(self._tick(row) == ticks[row] for row in (0, last, *inside))

    def _each(self, rows: int) -> Ticks | None:
        ticks = np.empty(rows, np.int64)
        for row in range(rows):
            tick = self._tick(row)
            if tick is None:
                return None
            ticks[row] = tick
        return ticks

    def _look(self, memory: Any, ticks: Ticks) -> None:
        """Look for the positions in the buffer."""
        if self._tries >= TRIES:
            return
        self._tries += 1
        data = bytes(memory)
        for kind in KINDS:
            stored = ticks.astype(kind)
            at = data.rfind(stored.tobytes()) if (stored == ticks).all() else -1
            if at >= 0:
                self._place, self._tries = (kind, at), 0
                return


def _at(memory: Any, kind: str, offset: int, rows: int) -> Ticks | None:
    try:
        return np.frombuffer(memory, kind, rows, offset).astype(np.int64)
    except ValueError:  # the buffer ends before
        return None
