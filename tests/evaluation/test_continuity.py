"""The figures of continuity on strips whose steps, drift and flicker are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from linescan.evaluation.continuity import ContinuityMeter
from linescan.records import Convention, DepthMap, WebMap

ROWS, WIDTH, OVERLAP = 40, 64, 8
RNG = np.random.default_rng(6)
STRIP = RNG.normal(size=(ROWS + 99 * (ROWS - OVERLAP), WIDTH))


def meter(shifts: npt.NDArray[Any]) -> ContinuityMeter:
    found = ContinuityMeter()
    for k, shift in enumerate(shifts):
        first = k * (ROWS - OVERLAP)
        values = (STRIP[first : first + ROWS] + shift).astype(np.float32)
        depth = DepthMap(
            values,
            Convention.HEIGHT,
            "relative",
            1.0,
            0.0,
            None,
            np.ones(ROWS, np.bool_),
            WebMap(2.0 * first + 0.5, 2.0, 0.5, 2.0),
        )
        found.add(depth, STRIP[first : first + ROWS].astype(np.float32))
    return found


def test_a_continuous_strip_has_none_of_them() -> None:
    result = meter(np.zeros(100)).result()
    assert result.frames == 100
    assert result.step == pytest.approx(1.0, abs=3 * result.step_error)
    assert result.paired_step == pytest.approx(1.0)
    assert result.drift < 0.01
    assert result.scale_sigma == pytest.approx(0.0, abs=1e-6)


def test_steps_drift_and_flicker_show() -> None:
    climbing = meter(np.linspace(0.0, 4.0, 100)).result()
    assert climbing.drift == pytest.approx(4.0 / 12.0, abs=0.1)
    assert climbing.paired_step < 1.05
    jumping = meter(3.0 * (np.arange(100) % 2)).result()
    assert jumping.paired_step > 2
    assert jumping.step > 2
    assert jumping.flicker == pytest.approx(3.0, abs=0.1)
    assert jumping.drift < 0.05
