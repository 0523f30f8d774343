"""What a depth map says at measured places."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from linescan.depth.calibration.points import Block, Blocks, HeightMap, Profiles
from linescan.depth.calibration.read import read_blocks, read_map, read_profiles
from linescan.errors import CalibrationError
from tests.depth.calibration.places import Floats, depth

RNG = np.random.default_rng(3)
FINE = RNG.normal(size=(40, 60))
"""Heights of every camera pixel of a web of 60."""
MEANS = FINE.reshape(20, 2, 30, 2).mean((1, 3))
FINER = 10
"""Parts of a camera pixel along a side that stand for any place within it."""


def box_means(values: Floats, rows: Floats, columns: Floats) -> Floats:
    """Means between edges at tenths of a camera pixel, by counting tenths."""
    tenths = np.repeat(np.repeat(values, FINER, 0), FINER, 1)
    down, over = (np.rint(FINER * edges).astype(int) for edges in (rows, columns))
    return np.array(
        [
            [tenths[a:b, c:d].mean() for c, d in itertools.pairwise(over)]
            for a, b in itertools.pairwise(down)
        ]
    )


def test_a_fine_map_is_averaged_over_each_value() -> None:
    found = HeightMap(FINE, 0, 0, 1, 1).points(depth(MEANS.astype(np.float32)), 0)
    np.testing.assert_allclose(found.truth, found.predicted, atol=1e-6)
    assert len(found) == MEANS.size
    np.testing.assert_array_equal(np.unique(found.line), np.arange(20) * 2 + 0.5)
    np.testing.assert_array_equal(np.unique(found.column), np.arange(30) * 2 + 0.5)


def test_a_map_of_another_place_and_step_lies_where_it_should() -> None:
    coarse = FINE.reshape(20, 2, 30, 2).mean((1, 3))[5:, 3:]
    found = HeightMap(coarse, 10, 6, 2, 2).points(depth(MEANS.astype(np.float32)), 0)
    np.testing.assert_allclose(found.truth, found.predicted, atol=1e-6)
    assert len(found) == coarse.size
    assert found.line.min() == 10.5
    assert found.column.min() == 6.5


@pytest.mark.parametrize("step", [3.0, 5.0, 7.3])
def test_a_coarse_map_is_held_against_the_values_under_its_elements(step: float) -> None:
    """Else sharp values would stand against blurred heights, and the line would come out flat."""
    heights = box_means(FINE, np.arange(1.0, 37.0, step), np.arange(2.0, 58.0, step))
    values = (0.5 * MEANS - 1.0).astype(np.float32)
    found = HeightMap(heights, 1.0, 2.0, step, step).points(depth(values), 0)
    assert len(found) == heights.size
    slope, shift = np.polyfit(found.predicted, found.truth, 1)
    # Values of two camera pixels are cut by the elements' edges: nearly, not quite, the same.
    assert slope == pytest.approx(2.0, rel=0.15)
    assert shift == pytest.approx(2.0, abs=0.3)
    assert found.line.min() == pytest.approx(1.0 + step / 2 - 0.5)
    assert found.column.min() == pytest.approx(2.0 + step / 2 - 0.5)


def test_steps_that_do_not_fit_each_other_are_not_rounded() -> None:
    want = box_means(FINE, np.arange(0, 38.0, 3.7), np.arange(0, 58.0, 3.7))
    values = np.zeros(want.shape, np.float32)
    found = HeightMap(FINE, 0, 0, 1, 1).points(depth(values, step=3.7), 0)
    np.testing.assert_allclose(found.truth, want.ravel(), atol=1e-9)


def test_a_place_that_reaches_beyond_what_was_measured_is_left_out() -> None:
    ramp = np.tile(np.arange(60.0), (40, 1))
    values = np.zeros((10, 15), np.float32)  # of four camera pixels each
    found = HeightMap(ramp[:, :21], 0, 0, 1, 1).points(depth(values, step=4.0), 0)
    # The sixth column has one of its four pixels in the map: less than half.
    assert found.column.max() == 17.5


def test_what_is_unknown_on_either_side_is_left_out() -> None:
    heights = FINE.copy()
    heights[:8, :20] = np.nan
    heights[20, 40] = np.nan  # one of four: the others stand for it
    values = MEANS.astype(np.float32)
    values[10:12] = np.nan
    found = HeightMap(heights, 0, 0, 1, 1).points(depth(values), 15)
    assert found.line.min() == 30.5
    assert len(found) == 5 * 30
    everywhere = HeightMap(heights, 0, 0, 1, 1).points(depth(values), 0)
    assert len(everywhere) == MEANS.size - 40 - 60


def test_profiles_are_read_between_the_values() -> None:
    lines, columns = np.meshgrid(np.arange(20) * 2 + 0.5, np.arange(30) * 2 + 0.5, indexing="ij")
    ramp = (3 * lines - 2 * columns).astype(np.float32)
    line, column = RNG.uniform(1, 38, 50), RNG.uniform(1, 58, 50)
    order = np.argsort(line)
    profiles = Profiles(line[order], column[order], RNG.normal(size=50))
    found = profiles.points(depth(ramp), 0)
    np.testing.assert_allclose(found.predicted, 3 * found.line - 2 * found.column, atol=1e-3)
    assert len(found) == 50
    assert len(profiles.points(depth(ramp, first=100.0), 0)) == 0
    assert (profiles.points(depth(ramp), 10).line >= 20).all()


def test_blocks_give_their_inner_values() -> None:
    values = np.zeros((20, 30), np.float32)
    values[5:15, 10:20] = 7.0
    blocks = Blocks((Block(10, 20, 20, 20, 250.0), Block(32, 8, 0, 60, 0.0)))
    found = blocks.points(depth(values), 0)
    assert set(found.predicted[found.truth == 250.0]) == {7.0}
    assert set(found.predicted[found.truth == 0.0]) == {0.0}
    assert found.line[found.truth == 250.0].min() >= 13


def test_files_are_read_and_what_is_wrong_is_named(tmp_path: Path) -> None:
    file = tmp_path / "profiler.csv"
    file.write_text("column,height,line,note\n4,1.5,8,a\n5,,2,b\n", encoding="utf-8")
    found = read_profiles(file)
    np.testing.assert_array_equal(found.line, [2, 8])
    np.testing.assert_array_equal(found.height, [np.nan, 1.5])
    file.write_text("line,column,height\n1,2,high\n", encoding="utf-8")
    with pytest.raises(CalibrationError, match=r"profiler.csv, line 2: expected numbers"):
        read_profiles(file)
    file.write_text("line,column\n1,2\n", encoding="utf-8")
    with pytest.raises(CalibrationError, match="no column height"):
        read_profiles(file)
    for row in (",2,3", "1,inf,3", "nan,2,3"):
        file.write_text(f"line,column,height\n1,2,3\n{row}\n", encoding="utf-8")
        with pytest.raises(CalibrationError, match=r"line 3: .* line and column must be finite"):
            read_profiles(file)
    boxes = "first_line,line_count,first_column,column_count,height\n0,9,0,9,0\n"
    for row in ("9,9,9,9,", "9,9,9,9,inf", "9,-9,9,9,5", "9,9,9,0,5", ",9,9,9,5"):
        file.write_text(f"{boxes}{row}\n", encoding="utf-8")
        with pytest.raises(CalibrationError, match=r"line 3: .* finite, with counts above 0"):
            read_blocks(file)
    file.write_text(
        "first_line,line_count,first_column,column_count,height\n0,9,0,9,5\n", encoding="utf-8"
    )
    with pytest.raises(CalibrationError, match="at least two heights"):
        read_blocks(file)
    with pytest.raises(CalibrationError, match=r"no\.csv: no such file"):
        read_blocks(tmp_path / "no.csv")
    np.save(tmp_path / "map.npy", np.zeros((3, 4), np.uint16))
    assert read_map(tmp_path / "map.npy").dtype == np.float64
    np.save(tmp_path / "map.npy", np.zeros(3))
    with pytest.raises(CalibrationError, match="2-D"):
        read_map(tmp_path / "map.npy")
    for nothing in (np.full((3, 4), np.nan), np.zeros((5, 0))):
        np.save(tmp_path / "map.npy", nothing)
        with pytest.raises(CalibrationError, match="no height in it is known"):
            read_map(tmp_path / "map.npy")
    (tmp_path / "map.npy").write_bytes(b"none")
    with pytest.raises(CalibrationError, match=r"cannot be read as \.npy"):
        read_map(tmp_path / "map.npy")
