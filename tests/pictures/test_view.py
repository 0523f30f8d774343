"""Arrays of any resolution land where they lie on the web."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linescan.pictures.view import View, lay_depth
from linescan.records import WebMap
from tests.pictures.maps import web_of

sides = st.integers(4, 60)


@given(sides, sides, sides, sides, st.integers(0, 10_000))
def test_every_picture_pixel_shows_its_own_place(
    rows: int, columns: int, h: int, w: int, first: int
) -> None:
    """An array that holds its web coordinates, laid on an image, reads the image's coordinates."""
    web = web_of((h, w), (rows, columns), first_line=first)
    lines = web.line_offset + np.arange(h) * web.line_step - first
    across = web.column_offset + np.arange(w) * web.column_step
    view = View.of_image(first, rows, columns)
    zoom = view.height / rows
    assert (view.height, view.width) == (rows * zoom, columns * zoom)
    array = np.repeat(lines[:, None], w, axis=1).astype(np.float32)
    laid = view.lay(array, web, smooth=True)
    expected = (np.arange(view.height) + 0.5) / zoom - 0.5
    inside = (expected >= lines[0]) & (expected <= lines[-1])
    assert np.abs(laid[inside, view.width // 2] - expected[inside]).max() < 0.1 * web.line_step
    array = np.repeat(across[None, :], h, axis=0).astype(np.float32)
    laid = view.lay(array, web, smooth=True)
    expected = (np.arange(view.width) + 0.5) / zoom - 0.5
    inside = (expected >= across[0]) & (expected <= across[-1])
    assert np.abs(laid[view.height // 2, inside] - expected[inside]).max() < 0.1 * web.column_step


def test_the_same_resolution_is_laid_unchanged() -> None:
    values = np.random.default_rng(0).normal(0, 1, (700, 800)).astype(np.float32)
    view = View.of_image(5, 700, 800)
    laid = view.lay(values, WebMap(5, 1, 0, 1), smooth=True)
    assert np.allclose(laid, values, atol=1e-5)


def test_small_images_are_enlarged_by_a_whole_factor_and_large_ones_are_not() -> None:
    small, large = View.of_image(0, 252, 252), View.of_image(0, 2048, 4096)
    assert (small.height, small.width) == (756, 756)
    assert (large.height, large.width) == (2048, 4096)
    assert View.of_image(0, 100, 1500).height == 100


@pytest.mark.parametrize("shape", [(252, 252), (518, 1036), (14, 4088), (2000, 28), (1, 1)])
def test_maps_keep_the_proportions_of_the_frame(shape: tuple[int, int]) -> None:
    web = WebMap(3.5, 8.0, 1.5, 4.0)
    view = View.of_map(shape, web)
    assert max(view.height, view.width) <= 2048
    if min(view.height, view.width) > 20:
        assert view.height / view.width == pytest.approx(shape[0] * 2 / shape[1], rel=0.05)


def test_unknown_rows_do_not_bleed() -> None:
    values = np.full((40, 40), 7.0, np.float32)
    values[10:20] = np.nan
    values[30, 5] = np.nan
    web = web_of((40, 40), (400, 400))
    laid, known = lay_depth(View.of_image(0, 400, 400), values, web)
    assert np.allclose(laid, 7.0)
    zoom = known.shape[0] // 40
    assert not known[10 * zoom : 20 * zoom].any()
    assert not known[30 * zoom : 31 * zoom, 5 * zoom : 6 * zoom].any()
    assert known.sum() == known.size - (10 * 40 + 1) * zoom * zoom


def test_nothing_known() -> None:
    values = np.full((8, 8), np.nan, np.float32)
    laid, known = lay_depth(View.of_image(0, 8, 8), values, WebMap(0, 1, 0, 1))
    assert np.isfinite(laid).all()
    assert not known.any()
