from __future__ import annotations

import dataclasses
from fractions import Fraction
from math import ceil, floor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linescan.config import DepthSection
from linescan.depth.card import read_card
from linescan.depth.framing import Framing, Plan
from linescan.depth.resize import Resize, fill_invalid, resize_area, rows_all_valid
from linescan.errors import ModelError
from linescan.records import BoolArray, Frame, GrayArray, ModelInput

source_sides = st.integers(14, 300)
model_sides = st.integers(14, 120)
masks = st.lists(st.booleans(), min_size=1, max_size=200).map(lambda m: np.array(m, np.bool_))


def frame(pixels: GrayArray, valid: BoolArray | None = None, first_line: int = 0) -> Frame:
    if valid is None:
        valid = np.ones(pixels.shape[0], np.bool_)
    return Frame(pixels, first_line, valid, overlap=0, acquired_ns=1)


def resized(stage: Resize, item: Frame) -> ModelInput:
    (result,) = stage.process(item)
    assert isinstance(result, ModelInput)
    return result


def interior(web_offset: float, step: float, n: int, source: int) -> slice:
    """Array pixels whose centres interpolation does not have to clamp to the source's edge."""
    centres = web_offset + step * np.arange(n)
    inside = np.flatnonzero((centres >= 0) & (centres <= source - 1))
    return slice(int(inside[0]), int(inside[-1]) + 1)


@settings(max_examples=50)
@given(shape=st.tuples(source_sides, source_sides), size=st.tuples(model_sides, model_sides))
def test_web_map_says_where_pixels_really_come_from(
    shape: tuple[int, int], size: tuple[int, int]
) -> None:
    """On a ramp, area reduction and linear interpolation both give the ramp at their centres.

    Pixels that a reduction cuts count with their mean, which moves a centroid by up to an eighth
    of a model pixel, as often up as down; the rest is rounding.
    """
    web = Plan(shape, size, size).web_map(0)
    for axis, (offset, step) in enumerate(
        ((web.line_offset, web.line_step), (web.column_offset, web.column_step))
    ):
        ramp = (np.indices(shape)[axis] * 100).astype(np.uint16)
        got = np.moveaxis(resize_area(ramp, size), axis, 0)[:, 0] / 100
        error = got - (offset + step * np.arange(size[axis]))
        error = error[interior(offset, step, size[axis], shape[axis])]
        assert np.abs(error).max() <= (step / 8 if step > 1 else 0) + 0.08
        assert abs(error.mean()) <= 0.05


@given(valid=masks, rows=st.integers(1, 120))
def test_a_row_is_valid_if_all_lines_under_it_are(valid: BoolArray, rows: int) -> None:
    step = Fraction(valid.size, rows)
    expected = [
        all(valid[floor(r * step) : ceil((r + 1) * step)])  # exact: fractions, not floats
        for r in range(rows)
    ]
    assert rows_all_valid(valid, rows).tolist() == expected


@given(valid=masks)
def test_invalid_rows_are_filled_from_the_nearest_valid_one(valid: BoolArray) -> None:
    pixels = np.arange(valid.size, dtype=np.uint16)[:, None].repeat(3, axis=1)
    before = pixels.copy()
    filled = fill_invalid(pixels, valid)
    np.testing.assert_array_equal(pixels, before)
    good = np.flatnonzero(valid)
    for row in range(valid.size):
        source = min(good, key=lambda g: (abs(g - row), g)) if good.size else row
        assert filled[row].tolist() == [source] * 3


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_the_model_sees_no_black_edge_where_lines_are_missing(
    kind: type[np.uint8],
) -> None:
    pixels = np.full((300, 200), 120, kind)
    valid = np.ones(300, np.bool_)
    valid[:90], valid[150:161], valid[299:] = False, False, False
    pixels[~valid] = 0
    result = resized(Resize((42, 56), bits=8), frame(pixels, valid))
    assert (result.image == 120).all()
    # Model row r covers lines 7.14·r to 7.14·(r+1): row 20 ends and row 21 begins at line 150.
    assert np.flatnonzero(~result.valid).tolist() == [*range(13), 21, 22, 41]


def test_a_frame_without_any_valid_row_passes_as_invalid() -> None:
    pixels = np.zeros((300, 200), np.uint8)
    result = resized(Resize((42, 56)), frame(pixels, np.zeros(300, np.bool_)))
    assert not result.valid.any()
    assert not result.image.any()


@settings(max_examples=60)
@given(
    shape=st.tuples(source_sides, source_sides),
    size=st.tuples(model_sides, model_sides),
    kind=st.sampled_from([np.uint8, np.uint16]),
)
def test_reduction_is_the_mean_over_exactly_the_area(
    shape: tuple[int, int], size: tuple[int, int], kind: type[np.uint8]
) -> None:
    """Noise is the hardest case: every camera pixel counts for itself."""
    size = (min(size[0], shape[0]), min(size[1], shape[1]))
    noise = np.random.default_rng(0).integers(0, 4000 if kind is np.uint16 else 256, shape)
    down, across = (shares(n, m) for n, m in zip(shape, size, strict=True))
    exact = down @ noise @ across.T
    assert np.abs(resize_area(noise.astype(kind), size) - exact).max() <= 1.0


def shares(n: int, m: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Row r: which share of its area each of n source pixels has in target pixel r of m."""
    edges = np.arange(m + 1) * n / m
    source = np.arange(n)
    covered = np.minimum(source + 1, edges[1:, None]) - np.maximum(source, edges[:-1, None])
    return np.asarray(covered.clip(min=0) * m / n, np.float64)


def test_colour_is_reduced_channel_by_channel() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (301, 203, 3), dtype=np.uint8)
    together = resize_area(noise, (42, 56))
    for k in range(3):
        alone = resize_area(np.ascontiguousarray(noise[..., k]), (42, 56))
        np.testing.assert_array_equal(together[..., k], alone)


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_16_bit_pixels_become_8_bits_by_a_fixed_shift(bits: int) -> None:
    values = np.arange(2**bits, dtype=np.uint32).astype(np.uint16)
    values = values[:: max(1, 2**bits // 4096)]
    pixels = np.repeat(values[:, None], 14, axis=1)
    image = resized(Resize((len(values), 14), bits=bits), frame(pixels)).image
    np.testing.assert_array_equal(image[:, 0], values >> (bits - 8))


def test_brightness_does_not_depend_on_the_rest_of_the_frame() -> None:
    dull = np.full((56, 56), 1600, np.uint16)
    bright = dull.copy()
    bright[28:] = 4095
    stage = Resize((28, 28), bits=12)
    np.testing.assert_array_equal(resized(stage, frame(dull)).image[:14], 100)
    np.testing.assert_array_equal(resized(stage, frame(bright)).image[:14], 100)


def test_values_above_the_stated_bits_saturate() -> None:
    pixels = np.full((28, 28), 5000, np.uint16)
    assert (resized(Resize((14, 14), bits=12), frame(pixels)).image == 255).all()


def test_8_bit_pixels_are_taken_as_they_are() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (28, 42), dtype=np.uint8)
    result = resized(Resize((28, 42), (0.1, None), bits=16), frame(pixels, first_line=77))
    np.testing.assert_array_equal(result.image, pixels)
    assert result.image.dtype == np.uint8
    assert result.image.flags.c_contiguous
    assert (result.web.line_offset, result.web.line_step) == (77.0, 1.0)
    assert (result.web.mm_per_line, result.web.mm_per_column) == (0.1, None)
    assert result.lines() == result.frame.lines()


def test_a_short_frame_is_enlarged() -> None:
    pixels = np.full((9, 300), 50, np.uint8)
    result = resized(Resize((28, 42)), frame(pixels))
    assert result.image.shape == (28, 42)
    assert (result.image == 50).all()
    assert result.valid.all()


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ModelError, match="expected 8 to 16"):
        Resize((28, 28), bits=7)
    with pytest.raises(ModelError, match="at least 14"):
        Resize((28, 0))


def test_tiles_get_the_canvas_of_their_plan(handmade: Path) -> None:
    framing = Framing(DepthSection(mode="tile", tile=100), read_card(handmade), (200, 900))
    result = resized(Resize(framing, (0.1, 0.2)), frame(np.full((200, 900), 70, np.uint8)))
    assert result.image.shape == framing.nominal.canvas == (56, 252)
    assert result.valid.shape == (56,)
    assert result.web == framing.nominal.web_map(0, (0.1, 0.2))


def test_a_model_that_resizes_itself_gets_the_frame_and_maps_of_its_own_size(
    handmade: Path,
) -> None:
    card = dataclasses.replace(read_card(handmade), frame_size=(200, 300), dynamic=False)
    stage = Resize(Framing(DepthSection(), card, (200, 300)), bits=12)
    pixels = np.random.default_rng(0).integers(0, 5000, (200, 300)).astype(np.uint16)
    valid = np.ones(200, np.bool_)
    valid[:50] = False
    result = resized(stage, frame(pixels, valid))
    assert result.image.shape == (200, 300)
    np.testing.assert_array_equal(result.image[50:], np.minimum(pixels[50:] >> 4, 255))
    np.testing.assert_array_equal(result.image[:50], result.image[50:51].repeat(50, axis=0))
    assert np.flatnonzero(~result.valid).tolist() == list(range(7))  # of 28 rows
    with pytest.raises(ModelError, match=r"frames of 200x300 .* got 90x300"):
        resized(stage, frame(pixels[:90]))
