"""Where lines lie on the web, from encoder ticks: forward, standing still, running back."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from linescan.correction.rows import Floats

Ticks = npt.NDArray[np.int64]

WRAP: Final = 1 << 32
"""A step of more than half of this is a counter of 32 bits that begins again."""
MOST_BACK: Final = 1e6
"""A web does not run back by so many rows: the counter was set anew, or a tick before was wrong."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What the places of lines are counted from.

    Attributes:
        tick: a tick, and
        row: the row whose centre it stands for.
        last: the newest tick as it came.
        wrapped: what the newest tick lacks, as the counter began again.
        furthest: the furthest place that a line had, in rows.
    """

    tick: int
    row: int
    last: int
    wrapped: int = 0
    furthest: float = -math.inf


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Where neighbouring lines of a block lie.

    Attributes:
        begin: index of the first of the lines in the block.
        places: (n,) float64, never falling, in rows; a line behind the furthest one has its place.
        back: (n,) bool: the web ran back, the line shows what was seen before.
        restarted: the encoder counts anew from the first of the lines on.
    """

    begin: int
    places: Floats
    back: npt.NDArray[np.bool_]
    restarted: bool


def follow(
    origin: Origin, ticks: Ticks, ticks_per_row: float, jitter: float, *, may_restart: bool
) -> Iterator[tuple[Stretch, Origin]]:
    """Place the lines of a block.

    Args:
        origin: where the count stands.
        ticks: (n,) int64, one a line, rising while the web runs forward.
        ticks_per_row: travel of one row.
        jitter: rows of a step back that count as standing still.
        may_restart: the camera was away before the block, and may have set its counter anew.

    Yields:
        Stretches of the block, and where the count stands after each. A new count goes on with one
        row left out, as the travel in between is not known.
    """
    begin, restarted = 0, False
    while begin < len(ticks):
        left = ticks[begin:]
        wrapped = origin.wrapped - WRAP * np.cumsum(
            np.rint(np.diff(left, prepend=origin.last) / WRAP).astype(np.int64)
        )
        places = origin.row + (left + wrapped - origin.tick) / ticks_per_row
        furthest = np.maximum.accumulate(np.concatenate(([origin.furthest], places)))
        behind = furthest[:-1] - places
        lost = np.flatnonzero(behind > MOST_BACK)
        count = int(lost[0]) if lost.size else len(left)
        if count == 0 or (may_restart and behind[0] > jitter):
            tick = int(left[0])
            origin = Origin(tick, math.floor(origin.furthest + 0.5) + 2, tick)
            restarted, may_restart = True, False
            continue
        origin = replace(
            origin,
            last=int(left[count - 1]),
            wrapped=int(wrapped[count - 1]),
            furthest=float(furthest[count]),
        )
        yield Stretch(begin, furthest[1 : count + 1], behind[:count] > jitter, restarted), origin
        begin, restarted, may_restart = begin + count, False, False
