from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from linescan.depth.framing.blend import feather
from linescan.depth.framing.plan import spread


@given(length=st.integers(1, 3000), window=st.integers(14, 300), overlap=st.floats(0.05, 0.5))
def test_weights_add_up_to_one_without_a_step(length: int, window: int, overlap: float) -> None:
    starts = spread(length, window, overlap)
    weights = feather(length, window, starts)
    total = np.zeros(length)
    shared = window - max(np.diff(starts), default=0)
    for start, weight in zip(starts, weights, strict=True):
        first = max(start, 0)
        assert weight.min() >= 0
        padded = np.pad(weight, 1)
        rim = [*([1] if start <= 0 else []), *([-1] if start + window >= length else [])]
        steps = np.abs(np.diff(padded))
        steps[[0 if side == 1 else -1 for side in rim]] = 0  # the web's own edges
        assert steps.max() <= 4 / shared
        total[first : first + weight.size] += weight
    np.testing.assert_allclose(total, 1.0, atol=1e-5)


def test_a_single_window_counts_fully() -> None:
    (weight,) = feather(100, 252, (-76,))
    np.testing.assert_array_equal(weight, np.ones(100, np.float32))
