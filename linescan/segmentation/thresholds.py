"""Where an object begins, from the distribution of heights above the background.

Every threshold is a distance from the background's median. Per-frame minimum and maximum are never
used: they would stretch the noise of an empty frame into objects. All methods but ``mad``, whose k
says it, are held above the *noise limit* sigma·sqrt(2·ln N), the largest value that normal noise is
expected to reach among N pixels (the universal threshold of Donoho and Johnstone, 1994): two
classes that do not stand apart by more are the noise split in two. ``height`` is what it is told,
and ``belt`` is ``mad`` with the noise that the belt was found to have over time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from linescan.config import ThresholdSection
from linescan.segmentation.otsu import otsu_cuts
from linescan.segmentation.robust import MAD_TO_SIGMA, Floats, median


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Distances from the background at which objects begin; None where a side is switched off.

    ``noise`` is the background's robust standard deviation. ``reach``, where it is given, is the
    distance that objects reach out to on both sides. All in the unit of the depth map.
    """

    raised: float | None
    sunk: float | None
    noise: float
    reach: float | None = None

    def low(self, distance: float, hysteresis: float) -> float:
        """How far out an object reaches that begins at ``distance``."""
        return distance * hysteresis if self.reach is None else min(self.reach, distance)

    def named(self, hysteresis: float) -> dict[str, float]:
        """As published: signed heights at which an object begins and to which it reaches out."""
        named = {"noise": self.noise}
        if self.raised is not None:
            named |= {"raised": self.raised, "raised_low": self.low(self.raised, hysteresis)}
        if self.sunk is not None:
            named |= {"sunk": -self.sunk, "sunk_low": -self.low(self.sunk, hysteresis)}
        return named


def choose_thresholds(
    heights: Floats,
    pixels: int,
    section: ThresholdSection,
    resolution: float,
    belt_noise: float | None = None,
) -> Thresholds:
    """Choose both thresholds.

    Args:
        heights: (n,) a sample of heights above the background, towards the camera positive,
            median 0.
        pixels: pixels of the whole frame, for the noise limit.
        section: method, its parameters, side and floor; a floor of ``auto`` counts as none.
        resolution: smallest standard deviation to believe in.
        belt_noise: standard deviation that the belt was found to have over time, where it was; it
            then stands for that of this frame.
    """
    own = MAD_TO_SIGMA * median(np.abs(heights)) if belt_noise is None else belt_noise
    noise = max(own, resolution)
    limit = noise * math.sqrt(2 * math.log(max(pixels, 2)))
    if section.method == "height" and section.high is not None:
        raised = sunk = section.high
    elif section.method in {"mad", "belt"}:
        raised = sunk = section.k * noise
    elif section.method == "quantile":
        low, high = np.quantile(heights, [1 - section.quantile, section.quantile])
        raised, sunk = max(float(high), limit), max(-float(low), limit)
    elif section.method == "otsu":
        raised = _beyond(otsu_cuts(heights[heights >= 0], 2), limit)
        sunk = _beyond(otsu_cuts(-heights[heights <= 0], 2), limit)
    else:
        cuts = otsu_cuts(heights, section.classes)
        raised, sunk = _beyond(cuts, limit), _beyond(-cuts, limit)
    floor = 0.0 if section.floor == "auto" else section.floor
    return Thresholds(
        max(raised, floor) if section.side != "sunk" else None,
        max(sunk, floor) if section.side != "raised" else None,
        noise,
        section.low,
    )


def _beyond(cuts: Floats, limit: float) -> float:
    """The cut that is nearest to the background and not inside its noise; else the limit."""
    outside = cuts[cuts > limit]
    return float(outside.min()) if outside.size else limit
