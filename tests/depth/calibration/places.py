"""Measured places with known errors, and depth maps to take values from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from linescan.depth.calibration.points import Points
from linescan.records import Convention, DepthMap, WebMap

Floats = npt.NDArray[np.float64]
WIDTH, LINES = 500, 3000


def places(
    count: int = 4000,
    *,
    seed: int = 0,
    wrong: float = 0.2,
    bend: float = 0.0,
    fall_off: float = 0.0,
    noise: float = 4.0,
    span: float = 1.0,
) -> Points:
    """Heights 400·v - 30 µm of values v in 0 to ``span``.

    ``bend`` makes the curve a parabola, ``fall_off`` weakens the values at both sides of the web.
    """
    rng = np.random.default_rng(seed)
    v = rng.uniform(0.0, span, count)
    line, column = rng.uniform(0, LINES, count), rng.uniform(0, WIDTH, count)
    truth = 400.0 * (v + bend * v * v) - 30.0 + rng.normal(0, noise, count)
    bad = rng.random(count) < wrong
    truth[bad] += rng.uniform(100.0, 900.0, int(bad.sum()))
    x = 2 * column / (WIDTH - 1) - 1
    return Points(v * (1 - fall_off * x * x), truth, line, column)


def depth(values: npt.NDArray[np.float32], first: float = 0.0, step: float = 2.0) -> DepthMap:
    """A depth map whose array pixels are ``step`` camera pixels each."""
    centre = (step - 1) / 2
    return DepthMap(
        values=values,
        convention=Convention.HEIGHT,
        unit="relative",
        scale=2.0,
        shift=1.0,
        confidence=0.9,
        valid=np.ones(len(values), np.bool_),
        web=WebMap(first + centre, step, centre, step),
    )
