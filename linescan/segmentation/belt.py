"""The belt under the objects, learned over time: its level in each column, and its noise.

A pixel within 3.5 sigma of the belt counts as belt and teaches it; what stands out does not. The
first frames are taken together: the belt is what most of them agree on in each column, so that
objects that fill one of them do not pass for it. From then on each frame adds to an exponential
average with a time constant in web lines. A column in which no belt shows keeps its level; where
that lasts for a whole time constant, it is learned anew.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from linescan.segmentation.background import (
    MIN_SHARE,
    OBJECT_SIGMAS,
    Background,
    Sample,
    fit_columns,
    spread,
    surface,
    weighted_slope,
)
from linescan.segmentation.robust import (
    Floats,
    column_medians,
    finite,
    median,
    median_slope,
)

START_FRAMES: Final = 8
START_ROWS: Final = 48
"""Rows that are kept of each of the first frames."""
ROUNDS: Final = 2


@dataclass(frozen=True, slots=True)
class BeltState:
    """What is known of the belt; nothing in it is ever written to.

    Attributes:
        shape: columns of the depth map, and how far apart the sampled ones are.
        level: (columns,) of the belt in the sampled columns.
        seen: (columns,) web lines that the level stands on, at most the time constant.
        missed: (columns,) web lines since the belt was last seen there.
        noise: robust standard deviation of the belt.
        offset: by how much the last frame lay above the level.
        first: rows of the first frames, until these are enough.
    """

    shape: tuple[int, int]
    level: Floats
    seen: Floats
    missed: Floats
    noise: float
    offset: float = 0.0
    first: tuple[Floats, ...] = ()


class Belt:
    """Learns the belt.

    Args:
        memory_lines: time constant, in web lines.

    Attributes:
        state: what is known; None before the first frame. May be kept, and put back.
    """

    def __init__(self, memory_lines: int) -> None:
        self._memory = memory_lines
        self.state: BeltState | None = None

    def take(
        self, sample: Sample, lines: float, *, steady: bool
    ) -> tuple[Background, Floats, float]:
        """The background of a frame; the belt learns from it.

        Args:
            sample: of the frame's depth map.
            lines: web lines that this frame shows and none before.
            steady: depth means the same in every frame (it is aligned or metric): where no belt is
                seen the level holds. Else each frame may be shifted and tilted, and one without
                any belt is taken for itself.

        Returns:
            The background over the whole map; the sample's known values above it, (n,); and the
            noise of the belt.
        """
        state = self.state
        if state is None or state.shape != _shape(sample):
            state = _nothing(sample)
        learns = not state.first and bool(state.seen.any())
        if not learns:
            state = self._start(state, sample, lines, steady=steady)
        slope, offset, above = _place(sample, state, steady=steady)
        if learns:
            state = self._learn(state, sample, above, lines)
        self.state = replace(state, offset=offset)
        profile = state.level + offset
        rest = finite(sample.values - slope * sample.row_place()[:, None] - profile)
        return surface(sample, slope, profile), rest, state.noise

    def _start(self, state: BeltState, sample: Sample, lines: float, *, steady: bool) -> BeltState:
        """The belt from the first frames together; done once these are enough."""
        rows = sample.values
        if not steady:
            place = sample.row_place()
            rows = rows - median_slope(rows, place, 0) * place[:, None]
            rows = rows - median(finite(rows))
        first = (*state.first, rows[:: -(-len(rows) // START_ROWS)])
        together = replace(sample, values=np.concatenate(first))
        _, level = fit_columns(together, np.zeros(len(together.values)), tilt=False)
        rest = together.values - level
        limit = OBJECT_SIGMAS * _noise(rest, sample.resolution)
        noise = _noise(np.where(np.abs(rest) <= limit, rest, np.nan), sample.resolution)
        seen = np.minimum(state.seen + lines, self._memory)
        enough = len(first) >= START_FRAMES
        return replace(state, level=level, seen=seen, noise=noise, first=() if enough else first)

    def _learn(self, state: BeltState, sample: Sample, above: Floats, lines: float) -> BeltState:
        """Take over what the belt's pixels say, column by column."""
        limit = OBJECT_SIGMAS * max(state.noise, sample.resolution)
        belt = np.where(np.abs(above) <= limit, above, np.nan)
        middle, count = column_medians(belt)
        share = count / len(above)
        there = share >= MIN_SHARE
        gained = np.where(there, lines * share, 0.0)
        weight = np.maximum(
            gained / np.maximum(state.seen + gained, 1e-9), -np.expm1(-gained / self._memory)
        )
        level = state.level + np.where(there, weight * np.nan_to_num(middle), 0.0)
        seen = np.minimum(state.seen + gained, self._memory)
        missed = np.where(there, 0.0, state.missed + lines)
        anew = missed > self._memory
        if anew.any():
            now, known = column_medians(above)
            anew &= known > 0
            level = np.where(anew, level + np.nan_to_num(now), level)
            seen, missed = np.where(anew, lines, seen), np.where(anew, 0.0, missed)
        noise = self._new_noise(state, sample, belt, lines, anew_share=float(anew.mean()))
        return replace(state, level=level, seen=seen, missed=missed, noise=noise)

    def _new_noise(
        self, state: BeltState, sample: Sample, belt: Floats, lines: float, anew_share: float
    ) -> float:
        """The average of the belt's variance."""
        known = np.isfinite(belt)
        share = float(known.mean())
        if share < MIN_SHARE:
            return state.noise
        weight = max(-math.expm1(-lines * share / self._memory), anew_share)
        now = _noise(belt, sample.resolution)
        return math.sqrt((1 - weight) * state.noise**2 + weight * now**2)


def _nothing(sample: Sample) -> BeltState:
    nothing = np.zeros(sample.columns.size)
    return BeltState(_shape(sample), nothing, nothing, nothing, sample.resolution)


def _shape(sample: Sample) -> tuple[int, int]:
    return sample.shape[1], sample.column_step


def _noise(rest: Floats, resolution: float) -> float:
    return max(spread(rest)[1], resolution)


def _place(sample: Sample, state: BeltState, *, steady: bool) -> tuple[float, float, Floats]:
    """Slope and offset of a frame against the belt, and its values above both, (rows, columns)."""
    place = sample.row_place()
    rest = sample.values - state.level
    limit = OBJECT_SIGMAS * max(state.noise, sample.resolution)
    slope = 0.0 if steady else median_slope(rest, place, 0)
    offset = state.offset
    flat = rest - slope * place[:, None]
    if not _shows(flat - offset, limit):
        if steady:
            return slope, offset, flat - offset
        offset = median(finite(flat))
    for _ in range(ROUNDS):
        above = flat - offset
        near = above[np.abs(above) <= limit]
        offset += median(near)
        if not steady:
            turn = weighted_slope(flat - offset, limit / OBJECT_SIGMAS, place)
            slope, flat = slope + turn, flat - turn * place[:, None]
    return slope, offset, flat - offset


def _shows(above: Floats, limit: float) -> bool:
    """Whether enough of a frame lies near the belt to be it."""
    near = np.count_nonzero(np.abs(above) <= limit)
    return bool(near >= MIN_SHARE * np.count_nonzero(np.isfinite(above)))
