"""The joint solution of tiles: the sparse solver gives what a dense one gives."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.linalg import splu

from linescan.depth.framing.fit import Anchor, Overlap, System, fit_tiles
from linescan.depth.framing.relation import Floats

Equation = tuple[int, int | None, float, float]


def grid(rows: int, columns: int, seed: int, coarse: float) -> list[Equation]:
    """Equations as tiles give them: a weak value for each, its neighbours, and the coarse pass.

    Weights spread as far as those of shifts do; some overlaps tell nothing.
    """
    rng = np.random.default_rng(seed)
    count = rows * columns
    equations: list[Equation] = [(k, None, 0.0, 1e-4) for k in range(count)]
    for k in range(count):
        for other in (k + 1 if (k + 1) % columns else None, k + columns):
            if other is not None and other < count:
                weight = float(10 ** rng.uniform(-1, 4)) * float(rng.random() > 0.2)
                equations.append((k, other, float(rng.normal()), weight))
        if coarse:
            equations.append((k, count, float(rng.normal()), coarse * float(rng.random())))
    return equations


def dense(unknowns: int, equations: list[Equation]) -> Floats:
    """Least squares over all equations, one row each; the least of the solutions."""
    design = np.zeros((len(equations), unknowns))
    right = np.zeros(len(equations))
    for row, (first, second, value, weight) in enumerate(equations):
        root = np.sqrt(weight)
        design[row, first] = root
        if second is not None:
            design[row, second] = -root
        right[row] = root * value
    return np.asarray(np.linalg.lstsq(design, right, rcond=1e-13)[0], np.float64)


@given(
    rows=st.integers(1, 7),
    columns=st.integers(1, 7),
    seed=st.integers(0, 10_000),
    coarse=st.sampled_from([0.0, 0.5, 50.0]),
)
def test_the_solution_is_that_of_the_dense_system(
    rows: int, columns: int, seed: int, coarse: float
) -> None:
    equations = grid(rows, columns, seed, coarse)
    system = System(rows * columns + 1)
    for equation in equations:
        system.add(*equation)
    expected = dense(rows * columns + 1, equations)
    assert system.solve() == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_what_nothing_is_known_of_is_nought() -> None:
    system = System(3)
    system.add(0, None, 2.0, 1.0)
    system.add(0, 1, 0.5, 1e4)
    system.add(0, 2, 9.0, 0.0)
    assert system.solve() == pytest.approx([2.0, 1.5, 0.0])


def test_the_factors_of_the_most_tiles_stay_sparse(monkeypatch: pytest.MonkeyPatch) -> None:
    """1,024 tiles and the coarse pass: a twentieth of the numbers of a dense system at most."""
    kept: list[int] = []

    def counted(*args: Any, **options: Any) -> Any:
        factors = splu(*args, **options)
        kept.append(factors.L.nnz)
        return factors

    monkeypatch.setattr("scipy.sparse.linalg.splu", counted)
    system = System(1025)
    for equation in grid(32, 32, 3, 1.0):
        system.add(*equation)
    tracemalloc.start()
    try:
        system.solve()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert kept
    assert max(kept) <= 1025**2 / 20
    assert peak <= 1025**2 * 8 / 4


def test_scales_and_shifts_of_a_full_grid_are_found() -> None:
    """Overlaps and anchors give back what was done to each tile, but for the pull of the prior."""
    rng = np.random.default_rng(5)
    across = 32
    scales, shifts = np.exp(rng.normal(0, 0.3, across**2)), rng.normal(0, 3, across**2)

    def seen(tile: int, truth: Floats) -> Floats:
        return np.asarray((truth - shifts[tile]) / scales[tile], np.float64)

    overlaps, anchors = [], []
    for k in range(across**2):
        for other in (k + 1 if (k + 1) % across else None, k + across):
            if other is not None and other < across**2:
                truth = rng.normal(size=48)
                overlaps.append(Overlap(k, other, seen(k, truth), seen(other, truth)))
        truth = rng.normal(size=48)
        anchors.append(Anchor(k, seen(k, truth), truth))
    fits = fit_tiles(across**2, overlaps, anchors)
    factor = float(np.median(fits.scales / scales))
    assert fits.scales == pytest.approx(factor * scales, rel=0.06)
    level = fits.shifts - factor * shifts
    assert np.abs(level - np.median(level)).max() <= 0.3 * factor
