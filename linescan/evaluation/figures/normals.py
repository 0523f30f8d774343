"""Which way the surface faces: the angle between found and true normals, and relative normals.

Relative normals compare the angle *between* two places of a surface with the true angle between
them, which a tilt of the whole does not change; after S. Wu et al., "How to Evaluate Monocular
Depth Estimation?", arXiv 2510.19814, who draw pairs at random up to 32 pixels apart. Here all pairs
at fixed distances along both axes are taken, so that the figure is the same in each run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Heights = npt.NDArray[np.floating]
Normals = npt.NDArray[np.float64]

DISTANCES: Final = (3, 8, 16, 32)
"""Pixels between the two places of a pair."""


@dataclass(frozen=True, slots=True)
class NormalError:
    """Mean angles in degrees; 0 is perfect.

    Attributes:
        absolute: between found and true normal, over all known pixels.
        relative: difference of the angle between the normals of two places, over all pairs.
    """

    absolute: float
    relative: float


def normal_error(
    predicted: Heights, truth: Heights, pixel: tuple[float, float]
) -> NormalError | None:
    """Angles between the surfaces.

    Args:
        predicted: (h, w) heights, NaN where unknown.
        truth: (h, w) likewise, in the same unit.
        pixel: size of a pixel (along, across) in that unit.

    Returns:
        The mean angles; None where no pair is known in both.
    """
    found, true = normals(predicted, pixel), normals(truth, pixel)
    angle = _angle(found, true)
    known = np.isfinite(angle)
    total, count = 0.0, 0
    for distance in DISTANCES:
        for axis in (0, 1):
            gap = np.abs(_between(found, distance, axis) - _between(true, distance, axis))
            valid = np.isfinite(gap)
            total += float(gap[valid].sum())
            count += int(np.count_nonzero(valid))
    if not count:
        return None
    return NormalError(float(np.degrees(angle[known].mean())), float(np.degrees(total / count)))


def normals(height: Heights, pixel: tuple[float, float]) -> Normals:
    """Unit normals (h - 2, w - 2, 3) by central differences, towards the camera; NaN if unknown."""
    values = np.asarray(height, np.float64)
    along = (values[2:, 1:-1] - values[:-2, 1:-1]) / (2 * pixel[0])
    across = (values[1:-1, 2:] - values[1:-1, :-2]) / (2 * pixel[1])
    length = np.sqrt(1 + along**2 + across**2)
    return np.stack([-along / length, -across / length, 1 / length], axis=-1)


def _between(surface: Normals, distance: int, axis: int) -> npt.NDArray[np.float64]:
    """Angles between the normals of places ``distance`` apart along an axis, radians."""
    count = surface.shape[axis] - distance
    if count < 1:
        return np.empty(0)
    first = np.take(surface, np.arange(count), axis)
    second = np.take(surface, np.arange(distance, distance + count), axis)
    return _angle(first, second)


def _angle(one: Normals, other: Normals) -> npt.NDArray[np.float64]:
    # By the chord: the arc cosine of nearly 1 loses half of the digits.
    chord = np.sqrt(((one - other) ** 2).sum(axis=-1))
    return np.asarray(2 * np.arcsin(np.minimum(chord / 2, 1.0)))
