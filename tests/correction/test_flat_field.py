"""Reference files: what is written is read; anything else is refused with one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from linescan.correction.flat_field import FlatField, load_flat_field, save_flat_field
from linescan.errors import CalibrationError


@pytest.fixture
def made() -> FlatField:
    rng = np.random.default_rng(3)
    offset, gain = rng.random((2, 50), np.float32)
    return FlatField(offset, gain + 1, 12, "2026-01-01T00:00:00Z", {"white_lines": 5})


def test_a_written_reference_is_read_as_it_was(made: FlatField, tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "flat.npz"
    save_flat_field(made, path)
    read = load_flat_field(path)
    assert np.array_equal(read.offset, made.offset)
    assert np.array_equal(read.gain, made.gain)
    assert (read.id, read.bits, read.width) == (made.id, 12, 50)
    assert (read.created, read.about) == (made.created, {"white_lines": 5})
    assert [p.name for p in path.parent.iterdir()] == ["flat.npz"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match=r"flat\.npz: no such flat field; make one with"):
        load_flat_field(tmp_path / "flat.npz")


@pytest.mark.parametrize("size", [0, 10, 300])
def test_a_truncated_file_is_refused(made: FlatField, tmp_path: Path, size: int) -> None:
    path = tmp_path / "flat.npz"
    save_flat_field(made, path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(CalibrationError, match="not a flat field that can be read"):
        load_flat_field(path)


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "flat.npz"
    np.savez(path, values=np.zeros(3))
    with pytest.raises(CalibrationError, match="not a flat field"):
        load_flat_field(path)
    path.write_text("offset: 3\n")
    with pytest.raises(CalibrationError, match="not a flat field"):
        load_flat_field(path)


@pytest.mark.parametrize("key", ["offset", "gain"])
def test_a_changed_value_is_noticed(made: FlatField, tmp_path: Path, key: str) -> None:
    path = tmp_path / "flat.npz"
    save_flat_field(made, path)
    with np.load(path) as file:
        parts = dict(file)
    parts[key][7] += 0.25
    np.savez(path, **parts)
    with pytest.raises(CalibrationError, match="damaged or was changed"):
        load_flat_field(path)


def test_a_later_version_is_refused(made: FlatField, tmp_path: Path) -> None:
    path = tmp_path / "flat.npz"
    save_flat_field(made, path)
    with np.load(path) as file:
        parts = dict(file)
    parts["header"] = np.array(str(parts["header"]).replace('"version": 1', '"version": 2'))
    np.savez(path, **parts)
    with pytest.raises(CalibrationError, match="format version 2, this software reads 1"):
        load_flat_field(path)


def test_width_and_bits_must_fit(made: FlatField) -> None:
    made.check_fits(50, 12, "flat.npz")
    with pytest.raises(CalibrationError, match=r"flat\.npz: .* of 12 bits, .* 50 pixels of 8"):
        made.check_fits(50, 8, "flat.npz")
    with pytest.raises(CalibrationError, match="the lines have 51 pixels of 12 bits"):
        made.check_fits(51, 12, "flat.npz")
