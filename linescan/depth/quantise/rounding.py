"""Rounding to eight bits: the grid of a layer's input, and its matrix on that grid.

The input's channels are shifted and stretched so that they share one scale, as in SmoothQuant
(G. Xiao et al., ICML 2023, arXiv 2211.10438) and Outlier Suppression+ (X. Wei et al., EMNLP 2023,
arXiv 2304.09145). The matrix is rounded row by row, and each row's error is made up for by the rows
that follow: GPTQ (E. Frantar et al., ICLR 2023, arXiv 2210.17323).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from linescan.depth.quantise.graph import Array

LEVELS = 255
"""Steps of an unsigned byte."""
LARGEST = 127
"""Of a signed byte; -128 is left out, so that both signs reach equally far."""
STRETCHES = (0.5, 0.75, 1.0)
MARGINS = (1.0, 1.2, 1.5)
"""Grids that are tried: how far channels are brought to the same range, and how much wider than
what was seen the grid is."""
DEAD = 1e-4
"""A channel that moves by a smaller share of the widest one counts as that wide."""
GPTQ_LEAVES = 0.1
"""Share of plain rounding's noise that is left when rows make up for each other's errors: 0.002 to
0.2 on the layers of a trained Small."""
DAMPING = 0.01
"""Share of the mean variance that is added to every channel, as GPTQ does."""
BLOCK = 128
"""Rows that are rounded before the rest makes up for them."""

Integers = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Grid:
    """Where a layer's input is rounded to: x = offset + stretch · step · (0 … 255).

    Attributes:
        stretch: of each channel, (K,).
        offset: of each channel, (K,).
        step: one for all.
    """

    stretch: Array
    offset: Array
    step: float

    def error(self, values: npt.NDArray[np.float32]) -> Array:
        """Mean square error of each channel, (K,), for values (n, K); what lies outside is cut."""
        unit = (self.stretch * self.step).astype(np.float32)
        exact = (values - self.offset.astype(np.float32)) / unit
        rounded = np.clip(np.rint(exact), 0, LEVELS)
        return np.asarray(
            np.mean(np.square((rounded - exact) * unit), axis=0, dtype=np.float64), np.float64
        )


def grids(low: Array, high: Array) -> list[Grid]:
    """Grids to try for channels that were seen between two bounds each, (K,)."""
    half = (high - low) / 2
    half = np.maximum(half, max(DEAD * float(half.max()), float(np.finfo(np.float32).tiny)))
    middle = (low + high) / 2
    found = []
    for power, margin in product(STRETCHES, MARGINS):
        stretch = half**power
        stretch /= np.exp(np.mean(np.log(stretch)))
        step = margin * 2 * float(np.max(half / stretch)) / LEVELS
        found.append(Grid(stretch, middle - LEVELS / 2 * step * stretch, step))
    return found


def steps(weight: Array) -> Array:
    """Step of each column's bytes, (N,), for a matrix (K, N)."""
    largest = np.abs(weight).max(axis=0)
    return np.asarray(np.where(largest > 0, largest, 1.0) / LARGEST, np.float64)


def weight_noise(weight: Array, grid: Grid, variance: Array) -> float:
    """Mean square error of the outputs, summed, that plain rounding of the matrix causes."""
    stretched = weight * grid.stretch[:, None]
    return float(np.sum(steps(stretched) ** 2) / 12 * np.sum(variance / grid.stretch**2))


def round_matrix(weight: Array, covariance: Array) -> tuple[Integers, Array]:
    """Bytes (K, N) and the step of each column, (N,), with the least error of the outputs.

    Args:
        weight: (K, N), as it meets the input.
        covariance: of the input's channels, (K, K).
    """
    order = np.argsort(-np.diag(covariance), kind="stable")
    left = weight[order].copy()
    damped = covariance[np.ix_(order, order)].copy()
    floor = DAMPING * float(np.mean(np.diag(damped)))
    damped[np.diag_indices_from(damped)] += floor if floor > 0 else 1.0
    # The upper triangle U with UᵀU the inverse, without forming that.
    shares = np.linalg.inv(np.linalg.cholesky(damped[::-1, ::-1])[::-1, ::-1])
    step = steps(weight)
    rounded = np.empty_like(left)
    for start in range(0, len(left), BLOCK):
        stop = min(start + BLOCK, len(left))
        errors = np.empty((stop - start, left.shape[1]))
        for row in range(start, stop):
            rounded[row] = np.clip(np.rint(left[row] / step), -LARGEST, LARGEST)
            error = (left[row] - rounded[row] * step) / shares[row, row]
            left[row + 1 : stop] -= np.outer(shares[row, row + 1 : stop], error)
            errors[row - start] = error
        left[stop:] -= shares[start:stop, stop:].T @ errors
    placed = np.empty_like(rounded)
    placed[order] = rounded
    return placed.astype(np.int8), step
