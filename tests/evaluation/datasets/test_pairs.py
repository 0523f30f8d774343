"""Folders of picture and height, whole and broken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from linescan.config import SimulatedSource, parse
from linescan.errors import LinescanError
from linescan.evaluation.datasets import PairFolder, TrueFrame, open_data_set
from linescan.evaluation.datasets.level import level
from tests.evaluation.pairs import SIDE, UM_PER_LEVEL, picture, write_pairs

CONFIG = parse("", "test", [], source=SimulatedSource())


def frames(folder: Path, **options: object) -> list[TrueFrame]:
    data_set = open_data_set(str(folder), CONFIG, **options)  # type: ignore[arg-type]
    return [frame for _, frame in data_set.frames()]


def test_pairs_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    data_set = PairFolder(write_pairs(tmp_path, 3))
    assert data_set.count == 3
    assert (data_set.unit, data_set.pictures, data_set.continuous) == ("um", True, False)
    found = frames(tmp_path)
    assert [frame.name for frame in found] == ["part0", "part1", "part2"]
    assert len({frame.web for frame in found}) == 3
    np.testing.assert_array_equal(found[1].frame.pixels, picture(1))
    np.testing.assert_allclose(found[1].height, picture(1) * UM_PER_LEVEL, rtol=1e-6)
    assert found[0].pitch_mm == (0.0005, 0.0005)
    assert found[0].labels is None
    assert [number for number, _ in data_set.frames(lambda n: n == 2)] == [2]


def test_the_pitch_may_be_unknown_or_given(tmp_path: Path) -> None:
    write_pairs(tmp_path, 1, pitch_um=None)
    assert frames(tmp_path)[0].pitch_mm == (None, None)
    assert frames(tmp_path, pitch_mm=0.25)[0].pitch_mm == (0.25, 0.25)


def test_sixteen_bits_count_as_many_as_the_brightest_pixel_needs(tmp_path: Path) -> None:
    write_pairs(tmp_path, 1)
    path = str(tmp_path / "part0_intensity.png")
    cv2.imwrite(path, np.full((SIDE, SIDE), 140, np.uint16))
    assert frames(tmp_path)[0].bits == 8
    cv2.imwrite(path, np.full((SIDE, SIDE), 4000, np.uint16))
    assert frames(tmp_path)[0].bits == 12


def test_infinite_heights_are_unknown_and_a_tilt_can_be_taken_off(tmp_path: Path) -> None:
    write_pairs(tmp_path, 1)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    height = (3.0 + 0.5 * rows - 0.25 * columns).astype(np.float32)
    height[5, 5], height[9] = np.inf, np.nan
    np.save(tmp_path / "part0_height_um.npy", height)
    (frame,) = frames(tmp_path, levelled=True)
    known = np.isfinite(frame.height)
    assert np.count_nonzero(~known) == 1 + SIDE
    np.testing.assert_allclose(frame.height[known], 0.0, atol=1e-4)
    assert np.isnan(frames(tmp_path)[0].height[5, 5])


def test_levelling_keeps_what_is_no_tilt() -> None:
    rows, _ = np.mgrid[:40, :40]
    bump = np.where((rows > 10) & (rows < 29), 1.0, 0.0)  # symmetric: it has no tilt of its own
    levelled = level((bump + 7.0 * rows).astype(np.float32))
    np.testing.assert_allclose(levelled, bump - bump.mean(), atol=1e-3)


def _remove(folder: Path) -> None:
    (folder / "part0_intensity.png").unlink()


def _orphan(folder: Path) -> None:
    (folder / "part0_height_um.npy").unlink()


def _shape(folder: Path) -> None:
    np.save(folder / "part0_height_um.npy", np.zeros((SIDE, SIDE - 1), np.float32))


def _unknown(folder: Path) -> None:
    np.save(folder / "part0_height_um.npy", np.full((SIDE, SIDE), np.nan, np.float32))


def _cube(folder: Path) -> None:
    np.save(folder / "part0_height_um.npy", np.zeros((2, SIDE, SIDE), np.float32))


def _objects(folder: Path) -> None:
    np.save(folder / "part0_height_um.npy", np.array([[{}]], object), allow_pickle=True)


def _cut(folder: Path) -> None:
    path = folder / "part0_height_um.npy"
    path.write_bytes(path.read_bytes()[:200])


def _text(folder: Path) -> None:
    (folder / "part0_height_um.npy").write_text("0 1 2\n")


def _picture(folder: Path) -> None:
    (folder / "part0_intensity.png").write_text("no picture")


def _small(folder: Path) -> None:
    cv2.imwrite(str(folder / "part0_intensity.png"), np.zeros((20, 20), np.uint8))
    np.save(folder / "part0_height_um.npy", np.zeros((20, 20), np.float32))


def _meta(folder: Path) -> None:
    (folder / "meta.json").write_text('{"part0": {"step_x_um": -1, "step_y_um": 1}}')


def _no_json(folder: Path) -> None:
    (folder / "meta.json").write_text("part0: 1")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_remove, "part0_height_um.npy has no part0_intensity.png beside it"),
        (_orphan, "part0_intensity.png has no part0_height_um.npy beside it"),
        (_shape, "the picture has 56x56 pixels, the height 56x55"),
        (_unknown, "knows no height at all"),
        (_cube, "expected rows x columns of numbers, found shape (2, 56, 56)"),
        (_objects, "the height cannot be read"),
        (_cut, "the height cannot be read"),
        (_text, "the height cannot be read"),
        (_picture, "part0_intensity.png"),
        (_small, "at least 28x28 are needed"),
        (_meta, "a step must be a positive number"),
        (_no_json, "meta.json: expected"),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    damage(write_pairs(tmp_path, 2))
    with pytest.raises(LinescanError, match=r"part0|meta\.json") as raised:
        frames(tmp_path)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("simulated:nonsense", "expected simulated:NAME, NAME being held-out"),
        ("simulated:print@9", "expected columns of the web after @"),
        ("no/such/folder", "no such data set"),
        (".", "neither a recording"),
        ("lit:heights.npy", "expected NAME_height_um.npy"),
        ("lit:a_height_um.npy", "light needs slopes"),
    ],
)
def test_what_is_no_data_set_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LinescanError) as raised:
        open_data_set(name, CONFIG)
    assert message in str(raised.value)
