from __future__ import annotations

import numpy as np
import pytest

from linescan.depth.quantise.deviation import deviation
from linescan.errors import ModelError
from linescan.records import FloatArray


def relief(seed: int, height: float) -> FloatArray:
    values = np.random.default_rng(seed).normal(0, height, (40, 50)).astype(np.float32)
    return np.asarray(values - values.mean(), np.float32)


def test_frames_count_by_what_there_is_to_see() -> None:
    """A flat frame off by half its noise hardly counts beside one with relief."""
    tall, flat = relief(1, 1.0), relief(2, 0.001)
    tall_off = tall + np.float32(0.01) * relief(3, 1.0)
    flat_off = flat + np.float32(0.5) * relief(4, 0.001)
    found = deviation([tall_off, flat_off], [tall, flat])
    assert found.frames == pytest.approx((0.01, 0.45), rel=0.1)
    assert found.worst == max(found.frames)
    assert found.pooled == pytest.approx(0.01, rel=0.1)


def test_scale_and_shift_do_not_count_but_show_in_the_error() -> None:
    reference = relief(1, 1.0)
    found = deviation([2 * reference + 3], [reference])
    assert found.pooled < 1e-5
    assert found.errors[0] > 0.3


def test_frames_without_anything_to_see_are_left_out() -> None:
    flat = np.ones((4, 5), np.float32)
    reference = relief(1, 1.0)
    assert len(deviation([flat, reference], [flat, reference]).frames) == 1
    with pytest.raises(ModelError, match="same depth everywhere"):
        deviation([flat], [flat])
