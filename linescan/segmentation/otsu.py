"""Otsu's thresholds for any number of classes, exact, on a histogram.

Otsu 1979 maximises the between-class variance; Liao, Chen and Chung 2001 showed that for several
classes this is the sum over classes of (first moment)²/(weight), each from cumulative sums. A sum
over consecutive classes has its exact maximum by dynamic programming, which finds what their
exhaustive search finds in bins² · classes steps instead of bins^classes.
"""

from __future__ import annotations

import numpy as np

from linescan.segmentation.robust import Floats

BINS = 512
TAIL = 1e-4
"""Share of the values at each end that is gathered in the outermost bins."""


def otsu_cuts(values: Floats, classes: int) -> Floats:
    """Values that separate ``classes`` classes, ascending; empty where all values are the same.

    The histogram spans all but the outermost 0.01 % of the values at each end: a single wild pixel
    does not coarsen it.
    """
    if values.size == 0:
        return np.empty(0)
    low, high = np.quantile(values, [TAIL, 1 - TAIL])
    if not high > low:
        low, high = values.min(), values.max()
        if not high > low:
            return np.empty(0)
    counts, edges = np.histogram(np.clip(values, low, high), BINS, (low, high))
    return edges[otsu_bins(counts.astype(np.float64), classes)]


def otsu_bins(counts: Floats, classes: int) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """First bin of each class but the first, ascending, (classes - 1,).

    Where several cuts are equally good (empty bins between two classes) the middle one is taken.
    """
    size = counts.size
    place = np.arange(size) - (size - 1) / 2
    weight = np.concatenate([[0.0], np.cumsum(counts)])
    moment = np.concatenate([[0.0], np.cumsum(counts * place)])
    ends = np.arange(size + 1)
    best = [_gain(weight, moment, np.zeros(1, np.intp), ends)[0]]
    if classes > 2:
        gains = _gain(weight, moment, ends, ends)
        for _ in range(classes - 2):
            best.append((best[-1][:, None] + gains).max(axis=0))
    cuts = np.empty(classes - 1, np.intp)
    end = size
    for index in range(classes - 2, -1, -1):
        total = best[index] + _gain(weight, moment, ends, np.array([end]))[:, 0]
        tied = np.flatnonzero(total == total.max())
        end = cuts[index] = tied[tied.size // 2]
    return cuts


def _gain(
    weight: Floats,
    moment: Floats,
    firsts: np.ndarray[tuple[int], np.dtype[np.intp]],
    ends: np.ndarray[tuple[int], np.dtype[np.intp]],
) -> Floats:
    """Between-class variance that a class of bins first..end-1 adds; -inf for end < first."""
    mass = weight[ends] - weight[firsts][:, None]
    part = moment[ends] - moment[firsts][:, None]
    gain = np.where(mass > 0, part**2 / np.where(mass > 0, mass, 1.0), 0.0)
    gain[ends < firsts[:, None]] = -np.inf
    return gain
