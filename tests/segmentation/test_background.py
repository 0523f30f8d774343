"""The background is found under noise, tilt and sag, and objects do not eat themselves."""

import numpy as np
import pytest

from linescan.records import FloatArray
from linescan.segmentation.background import Kind, _spline, fit_background, take_sample

SIDE = 300
ROWS, COLUMNS = (axis.astype(float) / SIDE for axis in np.mgrid[:SIDE, :SIDE])
TILT = 40 * COLUMNS - 25 * ROWS
SAG = 30 * (2 * COLUMNS - 1) ** 2
WAVE = 15 * np.sin(2 * np.pi * COLUMNS)


def disc(row: float, column: float, radius: float) -> np.ndarray:
    return ((ROWS - row) ** 2 + (COLUMNS - column) ** 2 < radius**2).astype(float)


OBJECTS = {
    "nothing": 0 * ROWS,
    "disc of 70 % of the width": disc(0.5, 0.5, 0.35),
    "bar along the web, 30 %": ((COLUMNS > 0.5) & (COLUMNS < 0.8)).astype(float),
    "bar along the edge, 20 %": (COLUMNS < 0.2).astype(float),
    "band across the web, 30 %": (ROWS > 0.7).astype(float),
    "six discs, 35 % of the area": sum(
        (disc(r, c, 0.136) for r in (0.25, 0.75) for c in (0.18, 0.5, 0.82)), 0 * ROWS
    ),
}


def error(under: np.ndarray, objects: np.ndarray, kind: Kind) -> FloatArray:
    noise = np.random.default_rng(3).normal(0, 1, under.shape)
    values = (under + 20 * objects + noise).astype(np.float32)
    sample = take_sample(values, np.isfinite(values))
    assert sample is not None
    background, _ = fit_background(sample, kind)
    return background.above(values, 1) - (20 * objects + noise).astype(np.float32)


@pytest.mark.parametrize("what", OBJECTS)
@pytest.mark.parametrize(
    ("kind", "under"),
    [
        ("none", 0 * TILT + 1000),
        ("plane", TILT),
        ("columns", SAG),
        ("both", TILT),
        ("both", TILT + SAG),
    ],
)
def test_objects_do_not_eat_themselves(kind: Kind, under: np.ndarray, what: str) -> None:
    """Within 1.2 sigma of noise although the objects stand 20 sigma high."""
    assert np.abs(error(under, OBJECTS[what], kind)).max() < 1.2


@pytest.mark.parametrize("what", [name for name in OBJECTS if "70 %" not in name])
def test_an_s_shaped_profile_is_followed(what: str) -> None:
    assert np.abs(error(WAVE, OBJECTS[what], "both")).max() < 2.0


def test_an_empty_frame_is_levelled_to_a_tenth_of_the_noise() -> None:
    assert np.abs(error(TILT + SAG, OBJECTS["nothing"], "both")).max() < 0.15


def test_a_plane_does_not_follow_a_sag() -> None:
    """So the two kinds really differ."""
    assert np.abs(error(SAG, OBJECTS["nothing"], "plane")).max() > 5


def test_the_median_above_the_background_is_zero() -> None:
    values = np.random.default_rng(0).normal(77, 3, (90, 80)).astype(np.float32)
    sample = take_sample(values, np.isfinite(values))
    assert sample is not None
    for kind in ("none", "plane", "columns", "both"):
        _, above = fit_background(sample, kind)
        assert np.median(above) == pytest.approx(0, abs=1e-9)


def test_unknown_pixels_are_ignored() -> None:
    values = (TILT + SAG).astype(np.float32)
    known = np.ones(values.shape, np.bool_)
    known[50:120] = False
    values[50:120] = 1e9
    sample = take_sample(values, known)
    assert sample is not None
    background, _ = fit_background(sample, "both")
    assert np.abs(background.above(values, 1)[known]).max() < 1e-3


def test_nothing_known_gives_no_sample() -> None:
    values = np.zeros((5, 6), np.float32)
    assert take_sample(values, np.zeros(values.shape, np.bool_)) is None


@pytest.mark.parametrize("kind", ["none", "plane", "columns", "both"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 2), (3, 50), (30, 11)])
def test_tiny_maps_are_handled(kind: Kind, shape: tuple[int, int]) -> None:
    values = np.full(shape, 5.0, np.float32)
    sample = take_sample(values, np.isfinite(values))
    assert sample is not None
    background, above = fit_background(sample, kind)
    assert np.allclose(background.above(values, 1), 0, atol=1e-5)
    assert above.size == values.size


def test_the_sample_is_bounded_and_reaches_everywhere() -> None:
    values = np.zeros((4001, 3003), np.float32)
    sample = take_sample(values, np.isfinite(values))
    assert sample is not None
    assert sample.values.shape[0] <= 192
    assert sample.values.shape[1] <= 256
    assert sample.rows[-1] > 3950
    assert sample.columns[-1] > 2950


def test_the_spline_is_kept_for_a_few_shapes_only() -> None:
    for width in range(400, 420):
        values = np.broadcast_to(np.linspace(-1, 1, width) ** 2, (40, width)).astype(np.float32)
        sample = take_sample(values, np.isfinite(values))
        assert sample is not None
        surface, _ = fit_background(sample, "columns")
        assert np.abs(surface.above(values, 1)).max() < 1e-3
    assert _spline.cache_info().currsize <= 4


def test_sign_turns_depth_into_height() -> None:
    values = (TILT + 3).astype(np.float32)
    values[100:110, 100:110] += 5
    sample = take_sample(values, np.isfinite(values))
    assert sample is not None
    background, _ = fit_background(sample, "plane")
    assert background.above(values, -1)[105, 105] == pytest.approx(-5, abs=1e-2)
    assert background.above(values, 1)[105, 105] == pytest.approx(5, abs=1e-2)
