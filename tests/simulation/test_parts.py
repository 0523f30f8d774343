"""The parts of the simulated web: noise, shapes, features, light, ranges."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linescan.simulation import (
    CONTINUOUS_SEEDS,
    DEMO_SEEDS,
    HELD_OUT_SEEDS,
    PRINT_SEEDS,
    TRAINING_SEEDS,
    VALIDATION_SEEDS,
    FeatureMix,
    Light,
    Scene,
    SimulatedWeb,
    preset,
    sample_scene,
)
from linescan.simulation.cache import LruCache
from linescan.simulation.features import FeatureField
from linescan.simulation.light import LineLight
from linescan.simulation.noise import CELL_PX, Grid, LatticeNoise
from linescan.simulation.painting import render_patch
from linescan.simulation.scene import KINDS
from linescan.simulation.shapes import MAX_EXTENT, draw_shape, profile


def test_cache_forgets_what_was_used_longest_ago() -> None:
    made: list[int] = []
    cache: LruCache[int, int] = LruCache(2)

    def make(key: int) -> int:
        made.append(key)
        return key

    for key in (1, 2, 1, 3, 1, 2):
        assert cache.get(key, make) == key
    assert made == [1, 2, 3, 2]
    assert len(cache) == 2
    with pytest.raises(ValueError, match="capacity"):
        LruCache(0)


@pytest.mark.parametrize(("along", "across"), [(2, 2), (8, 8), (64, 64), (64, 2)])
def test_lattice_noise_has_unit_rms_and_no_seam(along: int, across: int) -> None:
    noise = LatticeNoise(1, "layer", Grid.of_width(512), along, across)
    values = np.concatenate([noise.strip(s) for s in range(-8, 24)])
    assert values.std() == pytest.approx(1.0, rel=0.12)
    second = np.abs(np.diff(values, n=2, axis=0)).max(axis=1)
    at_borders = second[CELL_PX - 2 :: CELL_PX]
    assert at_borders.max() <= 1.5 * np.median(second) + second.std() * 4


def test_lattices_are_independent_and_must_fit() -> None:
    grid = Grid.of_width(128)
    one, two = LatticeNoise(1, "a", grid, 4, 4).strip(0), LatticeNoise(1, "b", grid, 4, 4).strip(0)
    assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 0.1
    for along, across in ((3, 4), (4, 5), (128, 4)):
        with pytest.raises(ValueError, match="lattice"):
            LatticeNoise(1, "a", grid, along, across)


@settings(max_examples=60, deadline=None)
@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 10**6), size=st.floats(0.5, 1.0))
def test_shapes_are_bounded_and_full_somewhere(kind: str, seed: int, size: float) -> None:
    shape = draw_shape(np.random.default_rng(seed), kind, size, 4.0)
    axis = np.arange(-140, 140, 0.5, dtype=np.float32)
    values = profile(shape, axis[None], axis[:, None])
    assert values.min() >= 0
    assert 0.9 < values.max() <= 1
    assert shape.extent <= MAX_EXTENT < CELL_PX
    lines = np.abs(axis) > shape.extent
    assert values[lines].max() == 0
    if kind != "splice":
        assert values[:, lines].max() == 0


def test_unknown_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="hole"):
        draw_shape(np.random.default_rng(1), "hole", 1.0, 2.0)


def test_relief_features_never_touch_and_print_may() -> None:
    scene = preset("mixed", seed=1, width=256)
    dense = replace(scene, relief=FeatureMix(disc=40, bar=40, splice=1))
    field = FeatureField(dense)
    features = [f for cell in range(-5, 15) for f in field.relief(cell)]
    assert len(features) > 20
    assert not any(a.touches(b) for i, a in enumerate(features) for b in features[:i])
    assert len({f.label for f in features}) == len(features)


def test_features_do_not_depend_on_the_order_of_asking() -> None:
    scene = preset("mixed", seed=6, width=256)
    there, back = FeatureField(scene), FeatureField(scene)
    forwards = {c: there.relief(c) for c in range(40)}
    assert forwards == {c: back.relief(c) for c in reversed(range(40))}


def test_print_uses_the_shapes_of_relief() -> None:
    mix = FeatureMix(letter=30)
    scene = Scene(relief=mix, albedo=replace(Scene().albedo, print_mix=mix))
    field = FeatureField(scene)
    printed = [f for c in range(6) for f in field.print(c)]
    raised = [f for c in range(6) for f in field.relief(c)]
    assert {f.shape.kind for f in printed} == {f.shape.kind for f in raised} == {"letter"}
    assert np.mean([f.shape.radius for f in printed]) == pytest.approx(
        np.mean([f.shape.radius for f in raised]), rel=0.2
    )


@pytest.mark.parametrize("slope", [0.3, 0.8])
def test_no_flank_is_steeper_than_the_scene_says(slope: float) -> None:
    scene = replace(preset("mixed", seed=1, width=1024), slope=slope, relief_height=3.0)
    field, grid = FeatureField(scene), Grid.of_width(1024)
    steepest = 0.0
    for feature in (f for cell in range(6) for f in field.relief(cell)):
        patch = render_patch(feature, grid, -grid.cell_lines, 3 * grid.cell_lines)
        if patch is None or min(patch.values.shape) < 2:
            continue
        down, over = np.gradient(patch.values * abs(feature.peak) * grid.scale)
        steepest = max(steepest, float(np.hypot(down, over).max()))
    # Where strokes meet, the distance has a crease: allow for it.
    assert 0.5 * slope < steepest < 1.1 * slope


def lit_ramp(slope_along: float, slope_across: float, light: Light) -> float:
    grid = Grid.of_width(128)
    lamp = LineLight(Scene(width=128, light=light), grid)
    count = grid.strip_lines
    y = np.arange(-lamp.margin, count + lamp.margin)[:, None] / grid.scale
    x = np.arange(128)[None] / grid.scale
    height = (slope_along * y + slope_across * x).astype(np.float32)
    ones = np.ones((count, 128), np.float32)
    return float(lamp.strip(height, ones, 0).mean())


def test_light_follows_lambert() -> None:
    light = Light(40.0, 30.0, 0.0, 0.0, ambient=0.0, gloss=0.0)
    azimuth, elevation = np.radians(40.0), np.radians(30.0)
    towards = np.array(
        [
            np.cos(elevation) * np.sin(azimuth),
            -np.cos(elevation) * np.cos(azimuth),
            np.sin(elevation),
        ]
    )
    for along, across in ((0.0, 0.0), (0.2, 0.0), (-0.1, 0.1), (0.0, 0.3)):
        normal = np.array([-across, -along, 1.0]) / np.sqrt(1 + along**2 + across**2)
        wanted = normal @ towards / np.sin(elevation)
        assert lit_ramp(along, across, light) == pytest.approx(wanted, rel=1e-3)


def test_what_faces_the_light_is_brighter_and_gloss_adds() -> None:
    dull, glossy = Light(gloss=0.0), Light(gloss=0.4)
    assert lit_ramp(0.2, 0, dull) > lit_ramp(0, 0, dull) > lit_ramp(-0.2, 0, dull)
    assert lit_ramp(0.4, 0, glossy) > lit_ramp(0.4, 0, dull) + 0.05


def test_a_wall_throws_a_shadow_away_from_the_light() -> None:
    grid = Grid.of_width(512)
    light = Light(0.0, 30.0, 0.0, 0.0, ambient=0.0, gloss=0.0)
    lamp = LineLight(Scene(width=512, light=light), grid)
    height = np.zeros((grid.strip_lines + 2 * lamp.margin, 512), np.float32)
    height[lamp.margin + 40 : lamp.margin + 44] = 4.0
    lit = lamp.strip(height, np.ones((grid.strip_lines, 512), np.float32), 0)[:, 100]
    assert lit[30] == pytest.approx(1.0, rel=1e-3)
    assert lit[46] < 0.1, "the far side lies in shadow"
    assert lit[70] == pytest.approx(1.0, rel=1e-3), "the shadow ends"


def test_seed_sets_are_disjoint_and_large_enough() -> None:
    held_out = [HELD_OUT_SEEDS, PRINT_SEEDS, CONTINUOUS_SEEDS]
    sets = [DEMO_SEEDS, *held_out, VALIDATION_SEEDS, TRAINING_SEEDS]
    assert len(HELD_OUT_SEEDS) == 200
    assert sum(map(len, sets)) == len(set().union(*sets))


def test_sampled_scenes_keep_to_the_ranges_and_differ() -> None:
    scenes = [sample_scene(seed, 504) for seed in HELD_OUT_SEEDS]
    assert scenes[0] == sample_scene(HELD_OUT_SEEDS[0], 504)
    assert len({s.light.azimuth_deg for s in scenes}) == 200
    assert all(abs(s.light.azimuth_deg) <= 40 for s in scenes)
    assert all(s.roughness <= 0.04 * s.relief_height for s in scenes)
    assert {s.camera.bit_depth for s in scenes} == {8, 12, 16}
    printed = np.mean([s.albedo.print_mix != FeatureMix() for s in scenes])
    assert 0.3 < printed < 0.7


def test_ranges_are_frozen() -> None:
    """The first figures published for the model are about exactly this generator."""
    scene = sample_scene(900_007, 126, "narrow")
    lines = SimulatedWeb(scene).lines(0, 126)
    assert scene.relief_height == pytest.approx(1.0702831432501707, rel=1e-9)
    assert scene.light.azimuth_deg == pytest.approx(-15.108077739608934, rel=1e-9)
    assert lines.height.std() == pytest.approx(0.012116588652133942, rel=1e-4)
    assert lines.pixels.mean() == pytest.approx(69.65633660871757, rel=1e-4)
    assert (lines.labels > 0).sum() == pytest.approx(648, abs=3)
