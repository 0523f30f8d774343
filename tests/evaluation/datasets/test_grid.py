"""Truth on the grid of a depth map."""

from __future__ import annotations

import numpy as np
import pytest

from linescan.depth.framing import Plan
from linescan.depth.resize import resize_area
from linescan.evaluation.datasets.grid import height_on, labels_on
from linescan.records import WebMap

FULL = WebMap(0.0, 1.0, 0.0, 1.0)


def test_whole_factors_are_block_means() -> None:
    height = np.arange(48, dtype=np.float32).reshape(6, 8)
    web = Plan((6, 8), (3, 2), (3, 2)).web_map(0)
    expected = height.reshape(3, 2, 2, 4).mean(axis=(1, 3))
    np.testing.assert_allclose(height_on(height, FULL, (3, 2), web), expected, rtol=1e-6)


@pytest.mark.parametrize("size", [(28, 42), (56, 14), (33, 47)])
def test_truth_is_reduced_as_the_image_is(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(1).integers(0, 65535, (101, 97)).astype(np.uint16)
    web = Plan((101, 97), size, size).web_map(500)
    found = height_on(pixels.astype(np.float32), WebMap(500.0, 1.0, 0.0, 1.0), size, web)
    np.testing.assert_allclose(found, resize_area(pixels, size), atol=1.1)


def test_a_frame_is_found_in_a_longer_truth_of_blocks() -> None:
    lines = np.arange(100, dtype=np.float32)[:, None] * np.ones(40, np.float32)
    blocks = lines.reshape(25, 4, 10, 4).mean(axis=(1, 3))
    blocks_web = WebMap(1.5, 4.0, 1.5, 4.0)
    web = Plan((40, 40), (20, 20), (20, 20)).web_map(31)
    found = height_on(blocks, blocks_web, (20, 20), web)  # coarser than the map: interpolated
    centres = 31 + np.arange(20) * 2 + 0.5
    np.testing.assert_allclose(found, np.repeat(centres[:, None], 20, axis=1), rtol=1e-6)


def test_a_pixel_is_known_where_half_of_its_area_is() -> None:
    height = np.full((4, 4), 5.0, np.float32)
    height[0] = height[:3, 3] = np.nan
    web = Plan((4, 4), (2, 2), (2, 2)).web_map(0)
    found = height_on(height, FULL, (2, 2), web)
    np.testing.assert_array_equal(found, [[5.0, np.nan], [5.0, 5.0]])


def test_heights_far_from_zero_keep_their_digits() -> None:
    height = (1e4 + 1e-3 * np.arange(64).reshape(8, 8)).astype(np.float32)
    web = Plan((8, 8), (4, 4), (4, 4)).web_map(0)
    expected = height.astype(np.float64).reshape(4, 2, 4, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(height_on(height, FULL, (4, 4), web), expected, atol=1e-3)


def test_labels_are_those_at_the_centres() -> None:
    labels = np.zeros((12, 12), np.uint16)
    labels[6:, 3:] = 9
    web = Plan((12, 12), (4, 4), (4, 4)).web_map(700)
    expected = [[0, 0, 0, 0], [0, 0, 0, 0], [0, 9, 9, 9], [0, 9, 9, 9]]
    np.testing.assert_array_equal(labels_on(labels, 700, (4, 4), web), expected)
