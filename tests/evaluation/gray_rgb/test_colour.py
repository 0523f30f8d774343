"""Colour pictures are read as they are; what cannot be compared is skipped by name."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from linescan.errors import SourceError
from linescan.evaluation.gray_rgb.colour import (
    NOISE_SIGMA,
    ColourPicture,
    Skipped,
    as_jpeg,
    colourfulness,
    folder_loaders,
    luma,
    read_colour,
    with_noise,
)
from tests.evaluation.gray_rgb.handmade import colour_noise

RGB = colour_noise()


def save(path: Path, pixels: np.ndarray) -> Path:
    assert cv2.imwrite(str(path), pixels)
    return path


def test_red_stays_red(tmp_path: Path) -> None:
    read = read_colour(save(tmp_path / "a.png", RGB[:, :, ::-1]))
    assert isinstance(read, ColourPicture)
    assert read.name == "a.png"
    np.testing.assert_array_equal(read.rgb, RGB)


def test_sixteen_bits_keep_the_upper_eight_and_transparency_goes(tmp_path: Path) -> None:
    wide = (RGB[:, :, ::-1].astype(np.uint16) << 8) + 77
    with_alpha = np.dstack([RGB[:, :, ::-1], np.full(RGB.shape[:2], 9, np.uint8)])
    for name, pixels in (("wide.tif", wide), ("alpha.png", with_alpha)):
        read = read_colour(save(tmp_path / name, pixels))
        assert isinstance(read, ColourPicture), read
        np.testing.assert_array_equal(read.rgb, RGB)


def test_gray_and_broken_pictures_are_skipped_with_the_reason(tmp_path: Path) -> None:
    gray = luma(RGB)
    save(tmp_path / "gray.png", gray)
    save(tmp_path / "same.jpg", np.repeat(gray[:, :, None], 3, axis=2))
    whole = save(tmp_path / "whole.png", RGB).read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.jpg").touch()
    reasons = {"gray.png": "gray picture", "same.jpg": "gray picture in a colour file"}
    reasons |= {"cut.png": "truncated", "empty.jpg": "empty"}
    for name, reason in reasons.items():
        read = read_colour(tmp_path / name)
        assert isinstance(read, Skipped)
        assert read.name == name
        assert reason in read.reason


def test_a_folder_is_read_in_natural_order_one_by_one(tmp_path: Path) -> None:
    for number in (10, 9):
        save(tmp_path / f"p{number}.png", RGB)
    (tmp_path / "notes.txt").write_text("no picture")
    loaders = folder_loaders(tmp_path)
    assert [load().name for load in loaders] == ["p9.png", "p10.png"]
    (tmp_path / "p10.png").unlink()
    assert isinstance(loaders[1](), Skipped)


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no PNG"):
        folder_loaders(tmp_path)
    with pytest.raises(SourceError, match="no such"):
        folder_loaders(tmp_path / "none")


def test_luma_is_bt_601() -> None:
    expected = RGB @ np.array([0.299, 0.587, 0.114])
    assert np.abs(luma(RGB) - expected).max() <= 0.51


def test_colourfulness_is_zero_for_gray_and_grows_with_colour() -> None:
    gray = np.repeat(luma(RGB)[:, :, None], 3, axis=2)
    half = ((RGB.astype(int) + gray) // 2).astype(np.uint8)
    assert colourfulness(gray) == 0.0
    assert colourfulness(half) == pytest.approx(colourfulness(RGB) / 2, abs=0.6)


def test_the_controls_change_a_picture_a_little_and_always_alike() -> None:
    noisy, jpeg = with_noise(RGB), as_jpeg(RGB)
    assert (noisy.astype(int) - RGB).std() == pytest.approx(NOISE_SIGMA, rel=0.05)
    assert 0.5 < np.abs(jpeg.astype(int) - RGB).mean() < 20
    assert np.corrcoef(jpeg[:, :, 0].ravel(), RGB[:, :, 0].ravel())[0, 1] > 0.9
    np.testing.assert_array_equal(with_noise(RGB), noisy)
    np.testing.assert_array_equal(as_jpeg(RGB), jpeg)
