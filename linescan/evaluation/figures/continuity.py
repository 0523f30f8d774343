"""Along the web: steps at frame borders, flicker, drift.

The strip that is judged is made of each frame up to the line at which the next one begins. All
figures come with that of the true height on the same lines, where that is not nothing by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from linescan.records import WebMap

Heights = npt.NDArray[np.floating]
EPSILON = 1e-6


@dataclass(slots=True)
class SeamStep:
    """Differences between neighbouring rows at frame borders, over those inside frames.

    Fed frame by frame; keeps one frame. Where the border lies between two rows of the earlier
    frame, that is interpolated, so that the rows compared are always one row apart.
    """

    _inside: float = 0.0
    _inside_count: int = 0
    _border: float = 0.0
    _border_count: int = 0
    _before: tuple[int, npt.NDArray[np.float64], WebMap] | None = field(default=None)

    def add(self, web_number: int, values: Heights, web: WebMap) -> None:
        """Take the next frame.

        Args:
            web_number: frames of the same number follow each other.
            values: (h, w) heights, NaN where unknown.
            web: where they lie.
        """
        here = np.asarray(values, np.float64)
        before, self._before = self._before, (web_number, here, web)
        if before is None:
            return
        number, rows, place = before
        at = (web.line_offset - web.line_step - place.line_offset) / place.line_step
        follows = number == web_number and -EPSILON <= at <= len(rows) - 1 + EPSILON
        if not follows or rows.shape[1] != here.shape[1]:
            self._take_inside(rows)
            return
        lower = min(int(at + EPSILON), len(rows) - 1)
        share = at - lower
        last = rows[lower]
        if share > EPSILON:
            last = last * (1 - share) + rows[lower + 1] * share
        step = np.abs(here[0] - last)
        known = np.isfinite(step)
        self._border += float(step[known].sum())
        self._border_count += int(np.count_nonzero(known))
        self._take_inside(rows[: lower + 1])

    def finish(self) -> None:
        """The last frame has come."""
        if self._before is not None:
            self._take_inside(self._before[1])
            self._before = None

    @property
    def ratio(self) -> float | None:
        """1 where borders do not show; None without a border, or where nothing changes inside."""
        if not self._border_count or not self._inside_count or self._inside <= 0:
            return None
        return (self._border / self._border_count) / (self._inside / self._inside_count)

    @property
    def borders(self) -> bool:
        """Whether any frame followed another."""
        return self._border_count > 0

    def _take_inside(self, rows: npt.NDArray[np.float64]) -> None:
        steps = np.abs(np.diff(rows, axis=0))
        known = np.isfinite(steps)
        self._inside += float(steps[known].sum())
        self._inside_count += int(np.count_nonzero(known))


def flicker(means: Sequence[float], sigma: float) -> float | None:
    """Mean change of the object-free web's level from frame to frame, over the belt noise.

    Args:
        means: mean measured height over the object-free web of each frame, in order.
        sigma: standard deviation of measured height over all object-free web.

    Returns:
        None with fewer than two frames or without noise.
    """
    if len(means) < 2 or sigma <= 0:
        return None
    return float(np.mean(np.abs(np.diff(means)))) / sigma


def drift(errors: Sequence[float], span: float) -> float | None:
    """How far the error wanders over the run, over the range of true height.

    Args:
        errors: mean of measured minus true height of each frame, in order.
        span: range of true height over the run.

    Returns:
        Absolute rise of the straight line of least squares from the first frame to the last; None
        with fewer than three frames or a flat truth.
    """
    if len(errors) < 3 or span <= 0:
        return None
    place = np.arange(len(errors)) - (len(errors) - 1) / 2
    slope = float(place @ np.asarray(errors)) / float(place @ place)
    return abs(slope) * (len(errors) - 1) / span


@dataclass(slots=True)
class Spread:
    """Mean and standard deviation of values that come in pieces, in any number."""

    count: int = 0
    mean: float = 0.0
    _squares: float = 0.0

    def add(self, values: Heights) -> None:
        """Take (n,) finite values."""
        if not values.size:
            return
        given = np.asarray(values, np.float64)
        mean = float(given.mean())
        count = self.count + given.size
        # Chan, Golub and LeVeque, 1979: no digits are lost for values far from zero.
        self._squares += float(((given - mean) ** 2).sum())
        self._squares += (mean - self.mean) ** 2 * self.count * given.size / count
        self.mean += (mean - self.mean) * given.size / count
        self.count = count

    @property
    def sigma(self) -> float:
        """Standard deviation; 0 of nothing."""
        return float(np.sqrt(self._squares / self.count)) if self.count else 0.0
