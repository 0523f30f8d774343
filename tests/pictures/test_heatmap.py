"""The heat map shows relief in colour, what is unknown in gray, and the scale at its side."""

import numpy as np
import pytest

from linescan.pictures import render_heatmap
from linescan.pictures.colours import PAPER, BgrArray, colourise
from linescan.records import Convention, WebMap
from tests.pictures.maps import bump, depth_of, spread

EDGE = 17
"""Paper around the map at this size: 1.2 x text height."""


def inner(picture: BgrArray, side: int = 640) -> BgrArray:
    return picture[EDGE : EDGE + side, EDGE : EDGE + side]


@pytest.mark.parametrize(
    ("convention", "height"),
    [(Convention.HEIGHT, 10.0), (Convention.DISPARITY, 10.0), (Convention.DEPTH, -10.0)],
)
def test_near_is_warm_whatever_the_convention(convention: Convention, height: float) -> None:
    """The square stands nearer to the camera in all three."""
    picture = inner(render_heatmap(depth_of(bump(height=height), convention=convention)))
    at = 40 * 640 // 84
    blue, _, red = picture[at, at].astype(int)
    assert red > blue + 50


def test_rows_without_lines_are_hatched() -> None:
    valid = np.ones(84, np.bool_)
    valid[60:70] = False
    picture = inner(render_heatmap(depth_of(bump(), valid=valid)))
    rows = slice(61 * 640 // 84, 69 * 640 // 84)
    assert (spread(picture[rows]) == 0).all()
    assert spread(picture[: 59 * 640 // 84]).mean() > 60


def test_a_map_without_depth_is_all_hatched() -> None:
    values = np.full((84, 84), np.nan, np.float32)
    assert (spread(inner(render_heatmap(depth_of(values)))) == 0).all()


def test_given_limits_are_used() -> None:
    flat = depth_of(np.full((84, 84), 5.0, np.float32))
    low, high = (inner(render_heatmap(flat, limits=limits)) for limits in ((5, 9), (1, 5)))
    ends = colourise(np.array([[0, 1]], np.float32), (0, 1), "turbo", reverse=False)[0]
    assert (low[300, 300] == ends[0]).all()
    assert (high[300, 300] == ends[1]).all()


@pytest.mark.parametrize("reverse", [False, True])
def test_the_bar_runs_from_near_at_the_top_to_far(reverse: bool) -> None:
    convention = Convention.DEPTH if reverse else Convention.HEIGHT
    picture = render_heatmap(depth_of(bump(), convention=convention))
    bar = picture[:, EDGE + 640 + EDGE + 4]
    colours = bar[(bar != PAPER).any(axis=1)]
    ends = colourise(np.array([[0, 1]], np.float32), (0, 1), "turbo", reverse=False)[0]
    warm = np.abs(colours[-300:].astype(int) - ends[0]).sum(axis=1)
    assert warm[-1] == 0
    assert np.abs(bar.astype(int) - ends[1]).sum(axis=1).min() == 0


def test_numbers_stand_beside_the_bar() -> None:
    picture = render_heatmap(depth_of(bump()))
    blank = render_heatmap(depth_of(bump()), limits=(1.1e-9, 1.2e-9))
    assert not np.array_equal(picture[100:, -60:], blank[100:, -60:])
    beside = picture[100:, EDGE + 640 + EDGE + 22 + 14 :]
    assert (beside.max(axis=2) > 150).sum() > 100


def test_a_flat_frame_does_not_look_like_relief() -> None:
    """Noise stays in the middle of the colours: neither deep blue nor deep red anywhere."""
    noise = np.random.default_rng(0).normal(3, 0.2, (200, 200)).astype(np.float32)
    picture = inner(render_heatmap(depth_of(noise)))
    ends = colourise(np.array([[0.03, 0.97]], np.float32), (0, 1), "turbo", reverse=False)[0]
    for end in ends:
        near = np.abs(picture.astype(int) - end).max(axis=2) < 10
        assert near.mean() < 0.001


@pytest.mark.parametrize("shape", [(1, 1), (14, 4088), (3000, 28), (252, 252)])
def test_any_shape_is_drawn_within_bounds(shape: tuple[int, int]) -> None:
    values = np.random.default_rng(0).normal(0, 1, shape).astype(np.float32)
    picture = render_heatmap(
        depth_of(values, web=WebMap(1.5, 4, 1.5, 4)), title="web-1   frame 7   lines 0 to 2047"
    )
    assert picture.dtype == np.uint8
    assert max(picture.shape) < 2700


def test_a_title_makes_room_for_itself() -> None:
    plain = render_heatmap(depth_of(bump()))
    titled = render_heatmap(depth_of(bump()), title="web-1   frame 7")
    assert titled.shape[0] > plain.shape[0]
    assert (titled[:40].max(axis=2) > 200).sum() > 50
