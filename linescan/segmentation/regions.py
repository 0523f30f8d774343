"""Connected regions of one frame, raised and sunk: what was measured, and their runs of pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from linescan.records import BoolArray
from linescan.segmentation.runs import Indices, pixels_of

Floats = npt.NDArray[np.float64]

OF_REGIONS: Final = ("sign", "boxes", "area", "mean", "extreme", "high", "large")
OF_RUNS: Final = ("run_start", "run_length", "run_total", "run_extreme")


@dataclass(frozen=True, slots=True)
class Regions:
    """Connected regions, (n,) each, in array pixels, and their runs, (runs,) each.

    A run is a stretch of pixels of one row: the flat index of its first pixel, its length, and the
    region that it belongs to. Runs of a region come in the order of its pixels.
    """

    width: int
    """Columns of the array."""
    sign: npt.NDArray[np.int8]
    """1 raised, -1 sunk."""
    boxes: Indices
    """(n, 4): first row, first column, last row, last column."""
    area: Indices
    mean: Floats
    extreme: Floats
    high: BoolArray
    """It has a pixel beyond the threshold."""
    large: BoolArray
    """It has the least area of an object."""
    run_start: Indices
    run_length: Indices
    run_owner: Indices
    run_total: Floats
    """Sum of the heights of the run's pixels."""
    run_extreme: Floats

    @property
    def count(self) -> int:
        """How many regions."""
        return self.area.size

    def only(self, chosen: BoolArray) -> Regions:
        """The chosen regions, (n,), numbered anew without gaps."""
        if chosen.all():
            return self
        runs = chosen[self.run_owner]
        numbers = np.cumsum(chosen) - 1
        return Regions(
            width=self.width,
            run_owner=numbers[self.run_owner[runs]],
            **{name: getattr(self, name)[chosen] for name in OF_REGIONS},
            **{name: getattr(self, name)[runs] for name in OF_RUNS},
        )

    def in_order(self) -> Regions:
        """The same by first row, first column, last row, last column; raised before sunk."""
        order = np.lexsort((-self.sign, *self.boxes.T[::-1]))
        place = np.empty_like(order)
        place[order] = np.arange(order.size)
        return Regions(
            width=self.width,
            run_owner=place[self.run_owner],
            **{name: getattr(self, name)[order] for name in OF_REGIONS},
            **{name: getattr(self, name) for name in OF_RUNS},
        )

    def paint(
        self,
        labels: npt.NDArray[np.integer],
        numbers: npt.NDArray[np.integer],
        first_row: int = 0,
    ) -> None:
        """Write each region's number, (n,), into rows of ``width`` columns; 0 leaves it out.

        ``labels`` are the rows from ``first_row`` on; runs of other rows are left out.
        """
        named = numbers[self.run_owner]
        start = self.run_start - first_row * self.width
        kept = (named > 0) & (start >= 0) & (start < labels.size)
        length = self.run_length[kept]
        labels.ravel()[pixels_of(start[kept], length)] = np.repeat(named[kept], length)


def join(sides: Sequence[Regions], width: int) -> Regions:
    """The regions of all sides together."""
    together = [*sides, _none(width)]
    shift = np.cumsum([0, *(side.count for side in sides)])
    owners = [side.run_owner + add for side, add in zip(together, shift, strict=True)]
    return Regions(
        width=width,
        run_owner=np.concatenate(owners),
        **{
            name: np.concatenate([getattr(side, name) for side in together])
            for name in (*OF_REGIONS, *OF_RUNS)
        },
    )


def _none(width: int) -> Regions:
    counts, values, flags = np.empty(0, np.intp), np.empty(0), np.empty(0, np.bool_)
    return Regions(
        width=width,
        sign=np.empty(0, np.int8),
        boxes=np.empty((0, 4), np.intp),
        area=counts,
        mean=values,
        extreme=values,
        high=flags,
        large=flags,
        run_start=counts,
        run_length=counts,
        run_owner=counts,
        run_total=values,
        run_extreme=values,
    )
