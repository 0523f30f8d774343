"""Shape from shading: right where its assumptions hold, and what happens where they do not."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from linescan.evaluation.metrics import align, rmse_over_sigma
from linescan.evaluation.shape_from_shading import (
    BLURS_PX,
    REACHES_PX,
    LightDirection,
    Regularisation,
    best_regularisation,
    integrate_along_light,
    shape_from_shading,
    slope_towards_light,
)
from linescan.simulation import (
    Albedo,
    Camera,
    FeatureMix,
    Light,
    SimulatedWeb,
    WebLines,
    preset,
)

SIDE = 192
LIGHTS = ((0.0, 45.0), (20.0, 50.0), (-20.0, 35.0))
QUIET = Camera(
    bit_depth=16, full_well_e=1e12, read_noise=0, prnu=0, dsnu=0, vignetting=0, flicker=0
)


@cache
def lambertian(seed: int, azimuth: float, elevation: float, printed: bool = False) -> WebLines:
    """Draw raised parts under a matt, even, noise-free web."""
    mix = FeatureMix(bar=8, disc=8) if printed else FeatureMix()
    scene = replace(
        preset("parts", seed=seed, width=SIDE),
        slope=0.2,
        relief_height=2.0,
        roughness=0.0,
        waviness=0.0,
        albedo=Albedo(0, 0, 0, mix, 0.5),
        light=Light(azimuth, elevation, 0, 0, ambient=0.0, gloss=0.0),
        camera=QUIET,
    )
    return SimulatedWeb(scene).lines(0, SIDE)


def error(lines: WebLines, light: LightDirection) -> float:
    height = shape_from_shading(lines.pixels, light)
    assert height.dtype == np.dtype(np.float32)
    return rmse_over_sigma(height, lines.height)


def test_noise_free_lambertian_relief_is_recovered() -> None:
    errors = [
        error(lambertian(seed, azimuth, elevation), LightDirection(azimuth, elevation))
        for seed in range(3)
        for azimuth, elevation in LIGHTS
    ]
    assert float(np.mean(errors)) <= 0.2, errors


def test_heights_come_out_in_pixels() -> None:
    lines = lambertian(1, 20.0, 50.0)
    height = shape_from_shading(lines.pixels, LightDirection(20.0, 50.0))
    pixel = preset("parts", width=SIDE).pitch_mm
    assert align(height, lines.height / pixel).scale == pytest.approx(1.0, abs=0.15)


def test_print_is_taken_for_relief() -> None:
    """The baseline's weakness, and why a model has to be better than it."""
    plain, printed = lambertian(1, 0.0, 45.0), lambertian(1, 0.0, 45.0, True)
    light = LightDirection(0.0, 45.0)
    assert error(printed, light) > 2 * error(plain, light)


def test_the_wrong_side_turns_relief_inside_out() -> None:
    lines = lambertian(1, 0.0, 45.0)
    turned = shape_from_shading(lines.pixels[::-1], LightDirection(0.0, 45.0))
    assert align(turned, lines.height[::-1]).scale < 0


@pytest.mark.parametrize(("towards", "across"), [(0.0, 0.0), (0.2, 0.0), (-0.3, 0.1), (0.1, 0.4)])
def test_slopes_follow_lambert(towards: float, across: float) -> None:
    light = LightDirection(15.0, 40.0, ambient=0.2)
    cotangent = 1 / np.tan(np.radians(40.0))
    shaded = (1 - towards * cotangent) / np.sqrt(1 + towards**2 + across**2)
    image = np.ones((9, 9))
    image[4, 4] = 0.2 + 0.8 * shaded
    slope = slope_towards_light(image, light, across)
    assert slope[4, 4] == pytest.approx(towards, abs=1e-6)


@pytest.mark.parametrize("azimuth", [-35.0, 0.0, 25.0])
def test_exact_slopes_give_the_height(azimuth: float) -> None:
    y, x = np.mgrid[0:120, 0:140].astype(float)
    height = sum(
        peak * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 120)
        for cx, cy, peak in ((40, 50, 3.0), (100, 70, -2.0), (70, 95, 1.0))
    )
    down, over = np.gradient(np.asarray(height))
    turn = np.radians(azimuth)
    slope = over * np.sin(turn) - down * np.cos(turn)
    found = integrate_along_light(slope, azimuth, 256.0)
    assert rmse_over_sigma(found, height) < 0.2
    assert align(found, height).scale == pytest.approx(1.0, abs=0.1)


def test_a_short_reach_holds_heights_back() -> None:
    slope = np.full((100, 30), 0.1)
    long, short = (integrate_along_light(slope, 0.0, reach) for reach in (1000.0, 4.0))
    assert np.ptp(long) > 8
    assert np.ptp(short) < 2


def test_the_best_regularisation_is_the_best_of_all() -> None:
    frames = [lambertian(seed, 0.0, 45.0) for seed in (1, 2)]
    rng = np.random.default_rng(1)
    part = np.s_[:96, :96]
    images = [f.pixels[part] * (1 + 0.03 * rng.standard_normal((96, 96))) for f in frames]
    lights = [LightDirection(0.0, 45.0)] * 2
    heights = [f.height[part] for f in frames]
    best, scores = best_regularisation(images, lights, heights)
    assert best.reach_px in REACHES_PX
    assert best.blur_px in BLURS_PX
    other = Regularisation(REACHES_PX[0], 0.0)
    worse = [
        rmse_over_sigma(shape_from_shading(image, light, other), height)
        for image, light, height in zip(images, lights, heights, strict=True)
    ]
    assert np.mean(scores) <= np.mean(worse)


def test_what_cannot_be_read_is_refused() -> None:
    with pytest.raises(ValueError, match="azimuth"):
        LightDirection(80.0, 30.0)
    with pytest.raises(ValueError, match="black"):
        shape_from_shading(np.zeros((20, 20), np.uint8), LightDirection(0.0, 30.0))
