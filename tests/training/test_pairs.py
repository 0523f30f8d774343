"""A user's files, and where a height map lies on its image."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from linescan.training.data import simulated_frame
from linescan.training.loading import RegistrationPlan, load_samples
from linescan.training.pairs import (
    PairsError,
    Sample,
    digest,
    hold_out,
    read_flat,
    read_height,
    read_image,
    read_lines,
    split,
)
from linescan.training.registration import register
from linescan.training.similarity import Similarity, lay, level
from tests.training.own_data import write_pair


def sample(lines: int = 40, columns: int = 60) -> Sample:
    rng = np.random.default_rng(0)
    height = rng.normal(size=(lines, columns)).astype(np.float32)
    image = rng.integers(0, 256, (lines, columns), np.uint8)
    return Sample("a", image, height, np.zeros((lines, columns), bool))


def test_points_of_a_profiler_become_pixels(tmp_path: Path) -> None:
    path = tmp_path / "a_lines.csv"
    path.write_text("line,column,height_um\n2,3,1.0\n2.2,3.3,3.0\n5,0,-4\n")
    height = read_lines(path, (6, 5))
    assert height[2, 3] == 2.0
    assert height[5, 0] == -4.0
    assert np.isfinite(height).sum() == 2
    path.write_text("line,column,height_um\n6,0,1\n")
    with pytest.raises(PairsError, match="row 2: line 6, column 0 lies beside"):
        read_lines(path, (6, 5))
    for row in ("1,0,high", "inf,0,1", ",0,1", "1,nan,1"):
        path.write_text(f"line,column,height_um\n{row}\n")
        with pytest.raises(PairsError, match=r"row 2: (expected numbers|line and column must be)"):
            read_lines(path, (6, 5))
    path.write_bytes(b"line,column,height_um\n\xb5,1,1\n")
    with pytest.raises(PairsError, match="cannot be read"):
        read_lines(path, (6, 5))


def test_points_as_spreadsheets_write_them(tmp_path: Path) -> None:
    path = tmp_path / "a_lines.csv"
    path.write_text("line,column,height_um\n2,3,1\n2,3,\n1,1,nan\n", encoding="utf-8-sig")
    height = read_lines(path, (6, 5))
    assert height[2, 3] == 1.0
    assert np.isfinite(height).sum() == 1


def test_images_of_8_12_and_16_bits(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    for values, expected in (([0, 4095], [0, 255]), ([0, 65535], [0, 255])):
        cv2.imwrite(str(path), np.array([values], np.uint16))
        assert read_image(path).tolist() == [expected]
    cv2.imwrite(str(path), np.array([[7, 9]], np.uint8))
    assert read_image(path).tolist() == [[7, 9]]
    path.write_bytes(b"no picture")
    with pytest.raises(PairsError, match="gray PNG"):
        read_image(path)


def test_height_maps_and_masks_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "a_height_um.npy"
    np.save(path, np.array([[1.0, np.inf], [np.nan, 2.0]]))
    assert np.isnan(read_height(path)).tolist() == [[False, True], [True, False]]
    np.save(path, np.zeros(3))
    with pytest.raises(PairsError, match="lines, columns"):
        read_height(path)
    path.write_bytes(b"")
    with pytest.raises(PairsError, match="not a NumPy array"):
        read_height(path)
    with path.open("wb") as file:
        np.savez(file, a=np.zeros(3))
    with pytest.raises(PairsError, match="an archive"):
        read_height(path)
    np.save(path, np.zeros((2, 2), complex))
    with pytest.raises(PairsError, match="complex128"):
        read_height(path)
    assert not read_flat(tmp_path, "a", (2, 3)).any()
    cv2.imwrite(str(tmp_path / "a_flat.png"), np.array([[0, 255]], np.uint8))
    assert read_flat(tmp_path, "a", (1, 2)).tolist() == [[False, True]]
    with pytest.raises(PairsError, match="the image has"):
        read_flat(tmp_path, "a", (2, 2))


def test_reduction_is_a_mean_of_what_is_known() -> None:
    whole = sample()
    whole.height[:, :21] = np.nan
    half = whole.reduce(2)
    assert half.image.shape == half.height.shape == (20, 30)
    assert np.isnan(half.height[:, :10]).all()
    np.testing.assert_allclose(
        half.height[:, 12:], whole.height[:, 24:].reshape(20, 2, 18, 2).mean((1, 3)), atol=1e-5
    )
    points = sample()
    points.height[:] = np.nan
    points.height[10, 20] = 5.0
    few = points.reduce(4)
    assert np.isfinite(few.height).sum() == 1
    assert few.height[2, 5] == pytest.approx(5.0)


def test_parts_do_not_overlap() -> None:
    whole = sample()
    for side in ("left", "right", "top", "bottom"):
        rest, part = split(whole, side, 0.25)
        assert part.image.size == 600
        assert rest.image.size == 1800
    rest, part = split(whole, "left", 0.5)
    np.testing.assert_array_equal(np.hstack((part.image, rest.image)), whole.image)


def test_samples_are_held_out_whole_where_there_are_some() -> None:
    many = [Sample(str(i), *(sample().image, sample().height, sample().flat)) for i in range(10)]
    rest, held = hold_out(many, 0.2)
    assert [s.name for s in held] == ["4", "9"]
    assert len(rest) == 8
    assert [s.name for s in hold_out(many[:4], 0.1)[1]] == ["3"]
    rest, held = hold_out(many[:2], 0.25)
    assert [s.image.shape for s in rest] == [(30, 60)] * 2
    assert [s.image.shape for s in held] == [(10, 60)] * 2
    assert digest(rest) == digest(list(rest)) != digest(held)


def test_level_takes_a_tilt_off_in_spite_of_relief() -> None:
    lines, columns = np.indices((80, 100))
    tilted = (0.3 * lines - 0.2 * columns + 400).astype(np.float32)
    tilted[30:50, 40:60] += 25
    tilted[0, 0] = np.nan
    flat = level(tilted)
    assert abs(float(flat[10, 10])) < 0.05
    assert float(flat[40, 50]) == pytest.approx(25, abs=0.05)
    assert np.isnan(flat[0, 0])
    bent = tilted + 0.01 * (columns - 50.0).astype(np.float32) ** 2
    assert abs(float(level(bent)[10, 95])) > 5
    assert abs(float(level(bent, 2)[10, 95])) < 0.05
    assert float(level(bent, 2)[40, 50]) == pytest.approx(25, abs=0.05)


TRUE = Similarity(scale=1.25, rotation=3.3, across=11.0, along=-6.0)


def on_another_grid(height: np.ndarray, true: Similarity) -> np.ndarray:
    """The map of which ``lay(…, true)`` is ``height``."""
    shape = (int(0.7 * height.shape[0]), int(0.7 * height.shape[1]))
    matrix = true.matrix(shape, height.shape)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(height, matrix, shape[::-1], flags=flags, borderValue=np.nan)


def test_a_height_map_of_another_instrument_is_laid_on_its_image() -> None:
    frame = simulated_frame(8, 168)
    height = on_another_grid(frame.height, TRUE)
    found = register(frame.image, height, scale=1.2, scale_range=1.1, rotation_range=4)
    assert found.confident, found
    rows, columns = height.shape
    corners = np.array([[x, y, 1.0] for x in (0, columns - 1) for y in (0, rows - 1)])
    matrices = [s.matrix(height.shape, frame.image.shape) for s in (found.similarity, TRUE)]
    assert np.abs(corners @ (matrices[0] - matrices[1]).T).max() < 1.5
    laid = lay(height, found.similarity, frame.image.shape)
    known = np.isfinite(laid)
    assert known.mean() > 0.5
    assert np.corrcoef(laid[known], frame.height[known])[0, 1] > 0.9


@pytest.mark.parametrize(
    ("height", "text"), [(np.nan, "0 known points"), (0.0, "image or height map are constant")]
)
def test_a_map_that_tells_nothing_is_named(height: float, text: str, tmp_path: Path) -> None:
    write_pair(tmp_path, "one", simulated_frame(8, 112))
    np.save(tmp_path / "one_height_um.npy", np.full((112, 112), height))
    plan = RegistrationPlan(True, None, 2.0, 1, tmp_path / "pictures")
    with pytest.raises(PairsError, match=rf"one_height_um\.npy.*{text}"):
        load_samples(tmp_path, None, 1.0, 112, True, plan)


def test_a_height_map_of_something_else_is_refused(tmp_path: Path) -> None:
    frame, other = simulated_frame(8, 112), simulated_frame(5, 112)
    write_pair(tmp_path / "data", "wrong", type(frame)(frame.image, other.height, 1.0))
    plan = RegistrationPlan(True, None, 2.0, 1, tmp_path / "pictures")
    with pytest.raises(PairsError, match="uncertain"):
        load_samples(tmp_path / "data", None, 1.0, 112, True, plan)
    assert (tmp_path / "pictures" / "wrong.jpg").is_file(), "what was found is shown"
    plan = RegistrationPlan(False, None, 2.0, 1, tmp_path / "pictures")
    (loaded,) = load_samples(tmp_path / "data", None, 2.0, 112, True, plan)
    assert loaded.image.shape == (56, 56)
