"""What a whole frame looks like: the level of the bare web, its roughness, its deviation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from linescan.depth.alignment.estimate import Measured
from linescan.depth.alignment.relation import middle
from linescan.records import DepthMap

BLOCKS: Final = 4
"""A frame's figures come from so many parts along, and across: they tell how sure they are."""
SAMPLES: Final = 24
"""Rows and columns of a part that are looked at, at most."""
LAG: Final = 2
"""Roughness is the difference between places so many columns apart: relief is smooth over it."""
CALM: Final = 0.25
"""Quantile of these differences that stands for all: the calm ones are those of the bare web."""
LEAST_KNOWN: Final = 0.5
"""Share of a part's places that must be known for the part to count."""
LEAST_PARTS: Final = 4
BARE: Final = 2.5
"""Places so many robust standard deviations off the median are objects, not bare web."""
ROUNDING: Final = 1e-6
"""A deviation below this share of the values' size is rounding: the frame is one value."""
_SIGMA: Final = 1.4826


@dataclass(frozen=True, slots=True)
class Look:
    """Figures of one frame, in the unit of its values.

    Attributes:
        level: of the bare web.
        roughness: logarithm of a low quantile of the differences of near places; None where there
            is none.
        deviation: standard deviation of the frame's values, objects and all.
    """

    level: Measured
    roughness: Measured | None
    deviation: float

    def aligned(self, scale: float, shift: float) -> Look:
        """The figures of the same frame after ``scale·values + shift``."""
        rough = self.roughness
        return Look(
            Measured(scale * self.level.value + shift, scale**2 * self.level.variance),
            rough and Measured(rough.value + math.log(scale), rough.variance),
            scale * self.deviation,
        )


@dataclass(frozen=True, slots=True)
class _Part:
    level: float
    roughness: float
    mean: float
    square: float


def look_at(depth: DepthMap) -> Look | None:
    """The figures of a frame; None where too little of it is known."""
    height, width = depth.values.shape
    parts = [
        found
        for rows in np.array_split(np.arange(height), BLOCKS)
        for columns in np.array_split(np.arange(width - LAG), BLOCKS)
        if (found := _part(depth, rows, columns)) is not None
    ]
    if len(parts) < LEAST_PARTS:
        return None
    mean = float(np.mean([part.mean for part in parts]))
    deviation = math.sqrt(max(0.0, float(np.mean([part.square for part in parts])) - mean**2))
    if deviation <= ROUNDING * abs(mean):
        deviation = 0.0
    rough = np.array([math.log(part.roughness) for part in parts if part.roughness > 0.0])
    return Look(
        middle(np.array([part.level for part in parts])),
        middle(rough) if rough.size >= LEAST_PARTS else None,
        deviation,
    )


def _part(
    depth: DepthMap, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]
) -> _Part | None:
    """The figures of a part; None where too little of it is known."""
    rows = rows[:: max(1, -(-rows.size // SAMPLES))]
    columns = columns[:: max(1, -(-columns.size // SAMPLES))]
    values = np.asarray(depth.values[np.ix_(rows, columns)], np.float64)
    beside = np.asarray(depth.values[np.ix_(rows, columns + LAG)], np.float64)
    known = np.isfinite(values) & np.isfinite(beside) & depth.valid[rows, None]
    if known.size == 0 or known.mean() < LEAST_KNOWN:
        return None
    here = values[known]
    centre = float(np.median(here))
    away = np.abs(here - centre)
    bare = here[away <= BARE * _SIGMA * float(np.median(away))]
    return _Part(
        level=float(bare.mean()),
        roughness=float(np.quantile(np.abs(beside[known] - here), CALM)),
        mean=float(here.mean()),
        square=float(np.square(here).mean()),
    )
