"""The simulated web: cutting, reproducibility, endlessness, truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linescan.simulation import (
    PRESETS,
    Albedo,
    Camera,
    FeatureMix,
    Scene,
    SimulatedWeb,
    WebLines,
    preset,
    sample_scene,
)
from linescan.simulation.web import STRIPS_KEPT


def assert_same(one: WebLines, other: WebLines) -> None:
    for name in ("pixels", "height", "labels", "encoder"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def jittery(seed: int, width: int) -> Scene:
    scene = preset("mixed", seed=seed, width=width)
    return replace(scene, camera=replace(scene.camera, encoder_jitter_px=0.6))


@pytest.mark.parametrize("scene", [preset("mixed", seed=5, width=130), jittery(5, 200)])
@settings(max_examples=15, deadline=None)
@given(first=st.integers(-300, 300), cuts=st.lists(st.integers(1, 90), min_size=2, max_size=5))
def test_any_cutting_gives_the_same_lines(scene: Scene, first: int, cuts: list[int]) -> None:
    whole = SimulatedWeb(scene).lines(first, sum(cuts))
    web = SimulatedWeb(scene)
    place = first
    for count in cuts:
        part = web.lines(place, count)
        rows = slice(place - first, place - first + count)
        np.testing.assert_array_equal(part.pixels, whole.pixels[rows])
        np.testing.assert_array_equal(part.height, whole.height[rows])
        np.testing.assert_array_equal(part.labels, whole.labels[rows])
        np.testing.assert_array_equal(part.encoder, whole.encoder[rows])
        place += count


def test_order_of_asking_does_not_matter() -> None:
    scene = preset("mixed", seed=2, width=128)
    forwards, backwards = SimulatedWeb(scene), SimulatedWeb(scene)
    starts = [k * 50 for k in range(12)]
    ahead = [forwards.lines(s, 50) for s in starts]
    back = [backwards.lines(s, 50) for s in reversed(starts)]
    for one, other in zip(ahead, reversed(back), strict=True):
        assert_same(one, other)


def test_seed_decides_everything() -> None:
    one = SimulatedWeb(preset("mixed", seed=1, width=128)).lines(0, 128)
    again = SimulatedWeb(preset("mixed", seed=1, width=128)).lines(0, 128)
    other = SimulatedWeb(preset("mixed", seed=2, width=128)).lines(0, 128)
    assert_same(one, again)
    assert not np.array_equal(one.height, other.height)
    assert not np.array_equal(one.pixels, other.pixels)


def test_line_ten_to_the_nine_is_as_good_as_line_zero() -> None:
    web = SimulatedWeb(preset("parts", seed=3, width=256))
    far = web.lines(10**9, 512)
    assert far.encoder[0] == 4 * 10**9
    assert np.array_equal(np.diff(far.encoder), np.full(511, 4))
    assert len(np.unique(far.labels)) > 2
    again = SimulatedWeb(web.scene).lines(10**9 + 17, 30)
    np.testing.assert_array_equal(again.pixels, far.pixels[17:47])
    assert not np.array_equal(far.pixels, web.lines(0, 512).pixels)


def test_height_is_continuous_over_strips() -> None:
    scene = replace(preset("surface", seed=1, width=256), slope=0.4)
    web = SimulatedWeb(scene)
    height = web.lines(0, 8 * web.grid.strip_lines).height / scene.pitch_mm
    steps = np.abs(np.diff(height, axis=0)).max(axis=1)
    borders = steps[web.grid.strip_lines - 1 :: web.grid.strip_lines]
    inside = np.delete(steps, np.arange(web.grid.strip_lines - 1, len(steps), 64))
    assert borders.max() <= 1.2 * inside.max()


def test_memory_is_bounded() -> None:
    web = SimulatedWeb(preset("mixed", seed=1, width=128))
    for k in range(60):
        web.lines(k * 40, 40)
    assert len(web._strips) <= STRIPS_KEPT
    assert len(web._lits) <= STRIPS_KEPT
    assert len(web._reliefs) <= STRIPS_KEPT
    assert len(web._features._candidates) <= 16
    assert len(web._relief_field._fine._cells) <= 4


def test_print_raises_no_height_and_gets_no_labels() -> None:
    printed = preset("print", seed=7, width=256)
    bare = replace(printed, albedo=replace(printed.albedo, print_mix=FeatureMix()))
    with_print, without = (SimulatedWeb(s).lines(0, 256) for s in (printed, bare))
    np.testing.assert_array_equal(with_print.height, without.height)
    assert not with_print.labels.any()
    assert SimulatedWeb(printed).objects(0, 256) == []
    change = with_print.pixels.astype(float) - without.pixels
    assert (np.abs(change) > 15).mean() > 0.02, "print must be seen in the image"


def test_labels_agree_with_heights_and_objects() -> None:
    scene = replace(
        preset("mixed", seed=4, width=256), roughness=0.0, waviness=0.0, shallow=0.0, sunk=0.5
    )
    web = SimulatedWeb(scene)
    lines = web.lines(512, 512)
    objects = web.objects(512, 512)
    assert len(objects) >= 8
    assert {o.id for o in objects} >= set(np.unique(lines.labels)) - {0}
    assert {o.peak_mm > 0 for o in objects} == {True, False}
    for true in objects:
        inside = lines.labels == true.id
        if not inside.any():
            continue
        heights = lines.height[inside]
        assert np.all(np.sign(heights) == np.sign(true.peak_mm))
        assert np.abs(heights).max() <= abs(true.peak_mm) * 1.0001
        assert np.abs(heights).min() >= 0.499 * abs(true.peak_mm)
        rows, columns = np.nonzero(inside)
        if true.first_line >= 512 and true.last_line < 1024:
            assert inside.sum() == true.area_px
            assert (rows.min() + 512, rows.max() + 512) == (true.first_line, true.last_line)
            assert (columns.min(), columns.max()) == (true.first_column, true.last_column)
    untouched = lines.labels == 0
    assert np.abs(lines.height[untouched]).max() < 0.5 * max(abs(o.peak_mm) for o in objects)


def test_dents_and_scratches_are_sunk_bumps_raised() -> None:
    objects = SimulatedWeb(preset("surface", seed=1, width=256)).objects(0, 2000)
    kinds = {o.kind for o in objects}
    assert kinds == {"dent", "scratch", "bump"}
    assert all((o.peak_mm > 0) == (o.kind == "bump") for o in objects)


def test_shallow_relief_is_no_object() -> None:
    scene = replace(preset("mixed", seed=1, width=256), shallow=1.0, roughness=0.05)
    web = SimulatedWeb(scene)
    assert web.objects(0, 1024) == []
    assert not web.lines(0, 512).labels.any()
    bare = SimulatedWeb(replace(scene, relief=FeatureMix())).lines(0, 512)
    assert np.abs(web.lines(0, 512).height - bare.height).max() > 0.04 * scene.reference_pitch_mm


def test_a_wider_web_shows_the_same_scene() -> None:
    narrow = SimulatedWeb(preset("parts", seed=9, width=128)).lines(0, 128)
    wide = SimulatedWeb(preset("parts", seed=9, width=512)).lines(0, 512)
    reduced = wide.height.reshape(128, 4, 128, 4).mean(axis=(1, 3))
    error = np.sqrt(np.mean((reduced - narrow.height) ** 2))
    assert error < 0.2 * narrow.height.std()
    assert narrow.height.std() > 0


def test_strips_of_a_wide_web_join_as_those_of_a_narrow_one() -> None:
    web = SimulatedWeb(preset("parts", seed=1, width=4096))
    assert web.grid.strips_per_cell == 2
    small = SimulatedWeb(preset("parts", seed=1, width=2048))
    lines, reference = web.lines(900, 256), small.lines(450, 128)
    reduced = lines.height.reshape(128, 2, 2048, 2).mean(axis=(1, 3))
    assert np.abs(reduced - reference.height).max() < 0.25 * np.abs(reference.height).max()


def test_encoder_jitter_moves_the_image_as_the_encoder_says() -> None:
    steady = replace(preset("parts", seed=3, width=512), roughness=0.0, waviness=0.0)
    shaken = replace(steady, camera=replace(steady.camera, encoder_jitter_px=0.8))
    even, moved = SimulatedWeb(steady).lines(0, 512), SimulatedWeb(shaken).lines(0, 512)
    place = moved.encoder / 4.0
    assert np.abs(place - np.arange(512)).max() > 0.5
    assert np.all(np.diff(moved.encoder) > 0)
    columns = [np.interp(place, np.arange(512), even.height[:, c]) for c in range(0, 512, 16)]
    corrected = np.abs(np.stack(columns, 1) - moved.height[:, ::16])[8:-8].mean()
    untouched = np.abs(even.height - moved.height)[8:-8, ::16].mean()
    assert corrected < 0.5 * untouched


@pytest.mark.parametrize(
    ("bits", "dtype", "top"), [(8, "u1", 255), (12, "u2", 4095), (16, "u2", 65535)]
)
def test_bit_depth(bits: int, dtype: str, top: int) -> None:
    scene = replace(preset("surface", width=128), camera=Camera(bit_depth=bits, exposure=0.5))
    pixels = SimulatedWeb(scene).lines(0, 64).pixels
    assert pixels.dtype == np.dtype(dtype)
    assert 0.4 * top < np.median(pixels) < 0.6 * top
    assert pixels.max() <= top


def test_every_preset_and_range_renders() -> None:
    scenes = [replace(s, width=128) for s in PRESETS.values()]
    scenes += [sample_scene(seed, 126) for seed in range(1_000_000, 1_000_020)]
    for scene in scenes:
        lines = SimulatedWeb(scene).lines(0, 126)
        assert np.isfinite(lines.height).all()
        assert lines.pixels.std() > 0


def test_impossible_requests_are_refused() -> None:
    with pytest.raises(ValueError, match="count"):
        SimulatedWeb(preset("mixed", width=128)).lines(0, 0)
    with pytest.raises(ValueError, match="no preset 'felt'"):
        preset("felt")
    with pytest.raises(ValueError, match="bit depth"):
        Scene(camera=Camera(bit_depth=10))
    with pytest.raises(ValueError, match="64 columns"):
        Scene(width=10)


def flat(**camera: float) -> Scene:
    quiet = {"prnu": 0.0, "dsnu": 0.0, "vignetting": 0.0, "flicker": 0.0, "read_noise": 0.0}
    return Scene(
        width=512,
        roughness=0.0,
        waviness=0.0,
        albedo=Albedo(blotches=0, mottle=0, streaks=0),
        camera=Camera(bit_depth=16, **{**quiet, **camera}),  # type: ignore[arg-type]
    )


def test_shot_noise_has_the_variance_of_its_electrons() -> None:
    pixels = SimulatedWeb(flat(full_well_e=10_000.0)).lines(0, 256).pixels / 65535
    electrons = pixels.mean() * 10_000
    assert pixels.std() / pixels.mean() == pytest.approx(1 / np.sqrt(electrons), rel=0.03)


def test_read_noise_and_column_patterns_have_their_stated_size() -> None:
    still = {"full_well_e": 1e12}
    read = SimulatedWeb(flat(read_noise=0.004, **still)).lines(0, 128).pixels / 65535
    assert read.std() == pytest.approx(0.004, rel=0.03)
    gain = SimulatedWeb(flat(prnu=0.02, **still)).lines(0, 64).pixels / 65535
    assert (gain.std() / gain.mean()) == pytest.approx(0.02, rel=0.15)
    assert np.ptp(gain, axis=0).max() < 1e-3, "PRNU does not change from line to line"
    offset = SimulatedWeb(flat(dsnu=0.01, **still)).lines(0, 64).pixels / 65535
    assert offset.std() == pytest.approx(0.01, rel=0.15)


def test_flicker_changes_whole_lines() -> None:
    scene = flat(flicker=0.05, flicker_period_lines=40.0, full_well_e=1e12)
    pixels = SimulatedWeb(scene).lines(0, 400).pixels / 65535
    lines = pixels.mean(axis=1)
    assert np.ptp(lines) / lines.mean() == pytest.approx(0.1, rel=0.05)
    assert np.ptp(pixels, axis=1).max() < 1e-3
