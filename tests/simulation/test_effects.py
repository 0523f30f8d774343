"""Materials, dust, holes, shadows, blur and coloured noise: what each does, and what it leaves."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linescan.simulation import (
    HELD_OUT_SEEDS,
    PRINT_SEEDS,
    Albedo,
    Camera,
    CutOuts,
    Dust,
    FeatureMix,
    Light,
    Material,
    Optics,
    Scene,
    Shade,
    SimulatedWeb,
    preset,
    print_scene,
    sample_scene,
    without_relief,
)
from linescan.simulation.extras import MaterialKind
from linescan.simulation.features import FeatureField
from linescan.simulation.material import MaterialField
from linescan.simulation.noise import CELL_PX, Grid
from linescan.simulation.optics import LineOptics

EVERYTHING = replace(
    preset("mixed", seed=5, width=130),
    material=Material("wood", 0.05, 0.02, 9.0),
    dust=Dust(60, 2.5, 0.4, 0.2),
    cut_outs=CutOuts(6, 2.0, 0.03),
    shade=Shade(3, 0.5, 8.0),
    optics=Optics(1.5, 3.0),
    camera=Camera(noise_grain=0.5, row_noise=0.01, encoder_jitter_px=0.5),
)
QUIET = Camera(
    bit_depth=16, full_well_e=1e12, read_noise=0, prnu=0, dsnu=0, vignetting=0, flicker=0
)
BARE = Scene(
    width=256,
    roughness=0.0,
    waviness=0.0,
    albedo=Albedo(0, 0, 0),
    light=Light(gloss=0.0, azimuth_drift_deg=0.0, elevation_drift_deg=0.0),
    camera=QUIET,
)


def kinds() -> list[Material]:
    return [Material(kind, 0.1, 0.1, 8.0) for kind in get_args(MaterialKind) if kind != "plain"]


@settings(max_examples=4, deadline=None)
@given(first=st.integers(-200, 200), cuts=st.lists(st.integers(1, 60), min_size=2, max_size=4))
def test_any_cutting_gives_the_same_lines_with_every_effect(first: int, cuts: list[int]) -> None:
    whole = SimulatedWeb(EVERYTHING).lines(first, sum(cuts))
    web, place = SimulatedWeb(EVERYTHING), first
    for count in cuts:
        part = web.lines(place, count)
        rows = slice(place - first, place - first + count)
        for name in ("pixels", "height", "labels", "encoder"):
            np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[rows])
        place += count


@pytest.mark.parametrize("material", kinds(), ids=lambda m: m.kind)
def test_a_texture_has_unit_rms_and_no_seam(material: Material) -> None:
    field = MaterialField(Scene(width=512, material=material), Grid.of_width(512))
    values = np.concatenate([field.strip(s) for s in range(-4, 8)])
    assert values.std() == pytest.approx(1.0, rel=0.12)
    steps = np.abs(np.diff(values, axis=0)).mean(axis=1)
    borders = np.arange(len(steps)) % CELL_PX == CELL_PX - 1
    assert steps[borders].max() <= 1.2 * steps[~borders].max()


def test_a_texture_is_seen_and_has_the_stated_height() -> None:
    for material in kinds():
        lines = SimulatedWeb(replace(BARE, material=material)).lines(0, 256)
        height = lines.height / BARE.reference_pitch_mm
        assert height.std() == pytest.approx(0.1, rel=0.2), material.kind
        assert lines.pixels.std() > 0.03 * lines.pixels.mean(), material.kind
        assert not lines.labels.any()


def test_dust_is_seen_and_is_no_object() -> None:
    flat, high = Dust(80, 2.5, 0.5, 0.0), Dust(80, 2.5, 0.5, 0.3)
    bare, dusty, rough = (
        SimulatedWeb(replace(BARE, dust=d)).lines(0, 256) for d in (Dust(), flat, high)
    )
    changed = np.abs(dusty.pixels.astype(float) - bare.pixels) > 0.02 * bare.pixels.mean()
    assert 0.0005 < changed.mean() < 0.05
    np.testing.assert_array_equal(dusty.height, bare.height)
    largest = np.abs(rough.height - bare.height).max() / BARE.reference_pitch_mm
    assert 0.1 < largest <= 0.61, "two specks may overlap"
    assert not rough.labels.any()


def test_a_cut_out_is_a_deep_object_that_looks_black() -> None:
    scene = replace(BARE, cut_outs=CutOuts(12, 2.0, 0.03))
    web = SimulatedWeb(scene)
    lines, objects = web.lines(0, 512), web.objects(0, 512)
    assert len(objects) >= 3
    assert all(o.peak_mm == pytest.approx(-2.0 * scene.reference_pitch_mm) for o in objects)
    inside = lines.labels > 0
    assert {o.id for o in objects} >= set(np.unique(lines.labels[inside]))
    assert np.median(lines.height[inside]) == pytest.approx(-2.0 * scene.reference_pitch_mm)
    assert np.median(lines.pixels[inside]) < 0.1 * np.median(lines.pixels[~inside])


def test_relief_gives_way_to_cut_outs() -> None:
    scene = replace(preset("mixed", seed=2, width=256), cut_outs=CutOuts(8))
    field = FeatureField(scene)
    features = [f for cell in range(12) for f in field.with_height(cell)]
    holes = [f for cell in range(12) for f in field.cut_outs(cell)]
    assert len(features) > len(holes) > 5
    assert not any(a.touches(b) for i, a in enumerate(features) for b in features[:i])
    assert len({f.label for f in features}) == len(features)


def test_a_shadow_darkens_and_has_no_height() -> None:
    bare = SimulatedWeb(BARE).lines(0, 512)
    shaded = SimulatedWeb(replace(BARE, shade=Shade(4, 0.6, 4.0))).lines(0, 512)
    np.testing.assert_array_equal(shaded.height, bare.height)
    assert not shaded.labels.any()
    left = shaded.pixels / bare.pixels
    # The ambient light is not taken.
    assert left.min() == pytest.approx(1 - 0.6 * (1 - BARE.light.ambient), abs=0.02)
    assert 0.02 < (left < 0.9).mean() < 0.8


def test_defocus_blurs_both_ways_and_motion_along_the_web_only() -> None:
    printed = replace(BARE, albedo=Albedo(0, 0, 0, FeatureMix(bar=12), 0.6))
    sharp, soft, moved = (
        SimulatedWeb(replace(printed, optics=o)).lines(0, 256)
        for o in (Optics(), Optics(2.0, 0.0), Optics(0.0, 5.0))
    )

    def steepest(pixels: np.ndarray, axis: int) -> float:
        return float(np.abs(np.diff(pixels.astype(float), axis=axis)).max())

    for axis in (0, 1):
        assert steepest(soft.pixels, axis) < 0.8 * steepest(sharp.pixels, axis)
    assert steepest(moved.pixels, 0) < 0.8 * steepest(sharp.pixels, 0)
    assert steepest(moved.pixels, 1) > 0.8 * steepest(sharp.pixels, 1)
    for blurred in (soft, moved):
        assert blurred.pixels.mean() == pytest.approx(sharp.pixels.mean(), rel=0.01)
        np.testing.assert_array_equal(blurred.height, sharp.height)


def test_blur_has_the_stated_size() -> None:
    grid = Grid.of_width(1024)
    optics = LineOptics(Scene(width=1024, optics=Optics(1.5, 4.0)), grid)
    impulse = np.zeros((1 + 2 * optics.margin + 60, 101), np.float32)
    impulse[len(impulse) // 2, 50] = 1
    spread = optics.blur(impulse)
    assert spread.sum() == pytest.approx(1.0, rel=1e-4)
    rows, columns = (np.arange(n) for n in spread.shape)
    down, over = spread.sum(axis=1), spread.sum(axis=0)
    variance = (down * (rows - (down * rows).sum()) ** 2).sum()
    # Two camera pixels a reference pixel: defocus 3, and a box of 8.
    assert variance == pytest.approx(3.0**2 + 8.0**2 / 12, rel=0.05)
    assert (over * (columns - 50) ** 2).sum() == pytest.approx(3.0**2, rel=0.05)


@pytest.mark.parametrize(("defocus", "motion"), [(4.0, 0.0), (0.0, 7.0), (-1.0, 0.0)])
def test_blur_beyond_the_strips_is_refused(defocus: float, motion: float) -> None:
    with pytest.raises(ValueError, match="defocus"):
        Optics(defocus, motion)


def test_coloured_noise_has_the_same_size_and_neighbours_that_agree() -> None:
    white = replace(QUIET, read_noise=0.01)
    plain, coloured = (
        SimulatedWeb(replace(BARE, width=512, camera=replace(white, noise_grain=g)))
        .lines(0, 256)
        .pixels
        / 65535
        for g in (0.0, 0.7)
    )
    assert coloured.std() == pytest.approx(plain.std(), rel=0.05)

    def agreement(values: np.ndarray) -> float:
        return float(np.corrcoef(values[:, 1:].ravel(), values[:, :-1].ravel())[0, 1])

    assert abs(agreement(plain)) < 0.05
    assert agreement(coloured) > 0.4


def test_row_noise_changes_whole_lines() -> None:
    scene = replace(BARE, camera=replace(QUIET, row_noise=0.02))
    pixels = SimulatedWeb(scene).lines(0, 1024).pixels / 65535
    lines = pixels.mean(axis=1)
    assert lines.std() / lines.mean() == pytest.approx(0.02, rel=0.25)
    assert np.ptp(pixels, axis=1).max() < 1e-3


def test_print_scenes_are_flat_and_printed_on() -> None:
    soft = 0
    for seed in PRINT_SEEDS[:6]:
        scene = print_scene(seed, 126)
        web = SimulatedWeb(scene)
        assert not web.lines(0, 252).labels.any()
        assert web.objects(0, 252) == []
        mix = scene.albedo.print_mix
        assert mix != FeatureMix()
        soft += mix.dent > 0 or mix.bump > 0
    assert soft, "print has the shapes of relief, dents and bumps too"


def test_without_relief_nothing_stands_out() -> None:
    scene = without_relief(replace(EVERYTHING, material=Material(), roughness=0.0))
    lines = SimulatedWeb(scene).lines(0, 260)
    assert np.abs(lines.height).max() == 0
    assert lines.pixels.std() > 0


def test_effects_are_rare_and_the_scene_below_them_stays() -> None:
    pairs = [(sample_scene(s, 504), sample_scene(s, 504, "narrow")) for s in HELD_OUT_SEEDS]
    for wide, narrow in pairs:
        assert wide.relief == narrow.relief
        assert (wide.slope, wide.roughness) == (narrow.slope, narrow.roughness)
        assert narrow.material == Material()
        assert 16 <= wide.light.elevation_deg <= 62
    shares = {
        "material": np.mean([w.material != Material() for w, _ in pairs]),
        "dust": np.mean([w.dust.density > 0 for w, _ in pairs]),
        "cut-outs": np.mean([w.cut_outs.density > 0 for w, _ in pairs]),
        "shade": np.mean([w.shade.density > 0 for w, _ in pairs]),
        "blur": np.mean([w.optics != Optics() for w, _ in pairs]),
        "noise": np.mean([w.camera.noise_grain > 0 for w, _ in pairs]),
    }
    assert all(0.01 <= share <= 0.55 for share in shares.values()), shares


@pytest.mark.parametrize(
    ("draw", "seed", "deviation", "brightness", "labelled"),
    [
        (sample_scene, 900_007, 0.012116589, 68.22511967750063, 648),
        (sample_scene, 900_003, 0.0075646765, 125.41206853111615, 81),
        (print_scene, 910_003, 0.0018280318, 33.53495842781557, 0),
    ],
)
def test_wide_ranges_are_frozen(
    draw: object, seed: int, deviation: float, brightness: float, labelled: int
) -> None:
    """The figures published for the model are about exactly this generator."""
    assert callable(draw)
    lines = SimulatedWeb(draw(seed, 126)).lines(0, 126)
    assert lines.height.std() == pytest.approx(deviation, rel=1e-4)
    assert lines.pixels.mean() == pytest.approx(brightness, rel=1e-4)
    assert (lines.labels > 0).sum() == pytest.approx(labelled, abs=3)
