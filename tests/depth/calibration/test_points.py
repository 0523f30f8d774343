"""What a depth map says at measured places."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from linescan.depth.calibration.points import Block, Blocks, HeightMap, Profiles
from linescan.depth.calibration.read import read_blocks, read_map, read_profiles
from linescan.errors import CalibrationError
from tests.depth.calibration.places import depth

RNG = np.random.default_rng(3)
FINE = RNG.normal(size=(40, 60))
"""Heights of every camera pixel of a web of 60."""
MEANS = FINE.reshape(20, 2, 30, 2).mean((1, 3))


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
