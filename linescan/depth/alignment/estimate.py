"""A figure that is tracked along the web: its value and the variance of its error.

A Kalman filter of one state (R. E. Kalman, 1960). What the overlap says moves the figure from frame
to frame and lets the variance grow: errors of a chain add up. What the reference says draws it
back, with the gain that follows from both variances.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

GATE: Final = 4.0
"""A reference so many standard deviations away is not believed: the frame shows something else.
The variance of a chain grows until it is believed again."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure and the variance of its error; infinite where nothing is known."""

    value: float
    variance: float

    def held(self, variance: float) -> Measured:
        """The same figure, less sure by what it may have changed since."""
        return Measured(self.value, self.variance + variance)

    def moved(self, to: Measured) -> Measured:
        """The figure as a relation to the one before gives it."""
        return Measured(to.value, self.variance + to.variance)

    def drawn(self, towards: Measured) -> Measured:
        """The figure and an independent measurement of it, weighted by their certainty."""
        if math.isinf(self.variance):
            return towards
        total = self.variance + towards.variance
        away = towards.value - self.value
        if total <= 0.0 or away * away > GATE**2 * total:
            return self
        gain = self.variance / total
        return Measured(self.value + gain * away, (1.0 - gain) * self.variance)
