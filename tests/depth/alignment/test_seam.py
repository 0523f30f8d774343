"""Rows that two frames share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from linescan.depth.alignment.seam import fade, shared_rows
from linescan.records import Convention, DepthMap, WebMap


def depth(first: float, rows: int = 10, *, step: float = 2.0, offset: float = 0.5) -> DepthMap:
    """Values equal to their web line."""
    lines = first + step * np.arange(rows)
    return DepthMap(
        values=np.repeat(lines[:, None], 4, axis=1).astype(np.float32),
        convention=Convention.HEIGHT,
        unit="relative",
        scale=1.0,
        shift=0.0,
        confidence=None,
        valid=np.ones(rows, np.bool_),
        web=WebMap(first, step, offset, 2.0),
    )


@pytest.mark.parametrize(
    ("first", "count"), [(12.0, 4), (13.0, 3), (18.0, 1), (18.5, 0), (30.0, 0)]
)
def test_rows_lie_where_they_should_also_between_rows(first: float, count: int) -> None:
    shared = shared_rows(depth(0.0), depth(first))
    np.testing.assert_allclose(shared, depth(first, count).values, rtol=1e-6)


def test_another_step_along_is_no_hindrance() -> None:
    shared = shared_rows(depth(0.0), depth(11.0, step=1.5))
    np.testing.assert_allclose(shared, depth(11.0, 5, step=1.5).values, rtol=1e-6)


def test_other_columns_have_nothing_in_common() -> None:
    assert len(shared_rows(depth(0.0), depth(12.0, offset=1.5))) == 0


def test_an_earlier_frame_has_nothing_in_common() -> None:
    assert len(shared_rows(depth(10.0), depth(8.0))) == 0


def test_rows_that_are_not_valid_are_unknown_to_the_rows_between() -> None:
    before = depth(0.0)
    valid = before.valid.copy()
    valid[8] = False
    shared = shared_rows(replace(before, valid=valid), depth(13.0))
    assert np.isfinite(shared[0]).all()
    assert np.isnan(shared[1:]).all()


def test_a_fade_goes_from_one_to_the_other_and_leaves_what_it_cannot_know() -> None:
    values = np.ones((10, 3), np.float32)
    values[2, 1] = np.nan
    shared = np.zeros((4, 3), np.float32)
    shared[:, 2] = np.nan
    fade(values, shared)
    assert (np.diff(values[:5, 0]) > 0).all()
    assert 0 < values[0, 0] < 0.15
    assert 0.85 < values[3, 0] < 1
    assert (values[:, 2] == 1).all()
    assert np.isnan(values[2, 1])
