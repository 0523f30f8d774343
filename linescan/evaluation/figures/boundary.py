"""Sharp edges in their place: the scale-invariant boundary F1 of Depth Pro.

A. Bochkovskii et al., "Depth Pro: Sharp Monocular Metric Depth in Less Than a Second", ICLR 2025,
section 3.3: an occluding contour lies between two neighbours whose depths differ by more than a
factor ``1 + t / 100``; precision and recall of contours, in each of the four directions, for t from
5 to 25, weighted by the threshold. A height is turned into a distance as in ``error``.

Two departures. Thresholds at which the truth has no contour say nothing and are left out, where the
paper's own code counts them as failures; perfect heights then score 1 on shallow relief, too. And
contours of the four directions are counted together, where that code takes the mean of their
precisions and recalls, with 0 for a direction in which there is none.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Distances = npt.NDArray[np.float64]
Contours = npt.NDArray[np.bool_]

THRESHOLDS: Final = tuple(float(t) for t in np.linspace(1.05, 1.25, 10))
"""Ratios of neighbouring distances from which on there is a contour between them."""


def boundary_f1(predicted: Distances, truth: Distances) -> float | None:
    """Weighted F1 of the contours, 0 to 1.

    Args:
        predicted: (h, w) distances; NaN makes no contour, what is not positive is as near as
            can be.
        truth: (h, w) distances, likewise.

    Returns:
        The score; None where the truth has no contour at any threshold.
    """
    here, there = _log(predicted), _log(truth)
    steps = [
        (here[:, 1:] - here[:, :-1], there[:, 1:] - there[:, :-1]),
        (here[1:] - here[:-1], there[1:] - there[:-1]),
    ]
    # A pair of which one side is unknown in either map is no evidence of anything.
    known = [np.isfinite(a) & np.isfinite(b) for a, b in steps]
    pairs = [(a[k], b[k]) for (a, b), k in zip(steps, known, strict=True)]
    total = weights = 0.0
    for threshold in THRESHOLDS:
        score = _f1(pairs, float(np.log(threshold)))
        if score is not None:
            total += threshold * score
            weights += threshold
    return total / weights if weights else None


def _log(distances: Distances) -> Distances:
    """Logarithms: ratios become differences. What is not positive is as near as can be."""
    smallest = 1e-6 * float(np.nanmax(distances, initial=1e-300))
    return np.log(np.maximum(distances, max(smallest, 1e-300)))


def _f1(pairs: list[tuple[Distances, Distances]], limit: float) -> float | None:
    both = found = true = 0
    for step, true_step in pairs:
        for sign in (1, -1):
            here, there = sign * step > limit, sign * true_step > limit
            both += int(np.count_nonzero(here & there))
            found += int(np.count_nonzero(here))
            true += int(np.count_nonzero(there))
    if not true:
        return None
    return 2 * both / (found + true)
