"""Recordings with truth, simulated sets and lit height maps: the same truth by different ways."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from linescan.config import Config, SimulatedSource, parse
from linescan.errors import LinescanError
from linescan.evaluation.datasets import (
    LitHeights,
    SimulatedFrames,
    TrueScan,
    open_data_set,
)
from linescan.evaluation.datasets.grid import height_on
from linescan.evaluation.datasets.lit import light_up
from linescan.recording import HeightEncoding
from linescan.records import WebMap
from linescan.simulation import HELD_OUT_SEEDS, SimulatedWeb, preset
from linescan.sources.simulated import record_simulated

WIDTH, LINES = 128, 300


def config(*settings: str) -> Config:
    return parse("", "test", list(settings), source=SimulatedSource())


@pytest.fixture(scope="module", params=[1, 4], ids=["fine", "coarse"])
def scan(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scans") / "web"
    section = SimulatedSource(preset="parts", seed=3, width=WIDTH, lines=LINES)
    record_simulated(section, path, truth=HeightEncoding(step=request.param))
    return path


def test_frames_are_cut_as_the_pipeline_cuts_them_and_know_their_truth(scan: Path) -> None:
    data_set = open_data_set(str(scan), config())
    frames = [frame for _, frame in data_set.frames()]
    # Frames of 128 lines, 8 of them shared: 0, 120, 240 (padded).
    assert isinstance(data_set, TrueScan)
    assert data_set.count == len(frames) == 3
    assert [f.frame.first_line for f in frames] == [0, 120, 240]
    assert [f.frame.overlap for f in frames] == [0, data_set.overlap, data_set.overlap] == [0, 8, 8]
    web = SimulatedWeb(preset("parts", seed=3, width=WIDTH))
    for frame in frames:
        first = frame.frame.first_line
        count = int(np.count_nonzero(frame.frame.valid))
        lines = web.lines(first, count)
        np.testing.assert_array_equal(frame.frame.pixels[:count], lines.pixels)
        assert frame.labels is not None
        np.testing.assert_array_equal(frame.labels[:count], lines.labels)
        blocks = WebMap(first + 1.5, 4.0, 1.5, 4.0)
        shape = (count // 4, WIDTH // 4)
        means = lines.height.reshape(shape[0], 4, shape[1], 4).mean(axis=(1, 3))
        found = height_on(frame.height, frame.height_web, shape, blocks)
        np.testing.assert_allclose(found, means, atol=2e-3)
        assert {o.id for o in frame.objects} >= set(np.unique(lines.labels)) - {0}
    assert not frames[2].frame.valid[60:].any()


def test_truth_beyond_the_end_of_the_web_is_unknown(scan: Path) -> None:
    (*_, last) = (frame for _, frame in TrueScan(scan, config()).frames())
    whole = height_on(last.height, last.height_web, (128, 128), WebMap(240.0, 1.0, 0.0, 1.0))
    assert np.isfinite(whole[:60]).all()
    assert np.isnan(whole[64:]).all()


def test_what_has_no_truth_or_other_rows_is_refused(tmp_path: Path, scan: Path) -> None:
    section = SimulatedSource(preset="parts", seed=3, width=WIDTH, lines=64)
    record_simulated(section, tmp_path / "bare", truth=None)
    with pytest.raises(LinescanError, match="has no truth"):
        TrueScan(tmp_path / "bare", config())
    rows = (
        "correction.encoder_resampling.enabled=true",
        "correction.encoder_resampling.mm_per_tick=1",
    )
    with pytest.raises(LinescanError, match="rows that the truth does not know"):
        TrueScan(scan, config(*rows))
    with pytest.raises(LinescanError, match="'frame'"):
        TrueScan(scan, config("frame.overlap=100"))


def test_simulated_sets_are_the_webs_of_their_seeds() -> None:
    held_out = SimulatedFrames("simulated:held-out@128")
    assert held_out.count == len(HELD_OUT_SEEDS)
    ((number, frame),) = held_out.frames(lambda n: n == 7)
    assert number == 7
    assert (frame.web, frame.frame.pixels.shape) == (HELD_OUT_SEEDS[7], (128, 128))
    assert frame.pitch_mm[0] is not None
    assert frame.light is not None
    assert -40 <= frame.light.azimuth_deg <= 40  # from the side of the earlier lines


@pytest.mark.parametrize("name", ["print", "flat"])
def test_flat_webs_have_no_objects_and_next_to_no_relief(name: str) -> None:
    data_set = SimulatedFrames(f"simulated:{name}@128")
    frames = [frame for _, frame in data_set.frames(lambda n: n < 3)]
    for frame in frames:
        assert not frame.objects
        assert frame.labels is not None
        assert not frame.labels.any()
    assert data_set.continuous == (name == "flat")


def test_every_printed_web_is_printed() -> None:
    from linescan.evaluation.datasets.simulated import NAMED

    for seed in NAMED["print"].seeds:
        mix = NAMED["print"].scene(seed, 128).albedo.print_mix
        kinds = ("scratch", "disc", "bar", "ring", "letter", "dent", "bump")
        assert sum(mix.density(kind) for kind in kinds) > 0


def test_a_continuous_web_goes_on_from_frame_to_frame() -> None:
    data_set = SimulatedFrames("simulated:continuous@128")
    (_, first), (_, second) = data_set.frames(lambda n: n < 2)
    assert (first.frame.overlap, second.frame.overlap, data_set.overlap) == (0, 8, 8)
    np.testing.assert_array_equal(first.frame.pixels[-8:], second.frame.pixels[:8])
    np.testing.assert_array_equal(first.height[-8:], second.height[:8])


def test_a_lit_height_map_is_brightest_where_it_faces_the_light(tmp_path: Path) -> None:
    rows, columns = np.mgrid[:200, :96]
    bump = 3.0 * np.exp(-((rows - 60) ** 2 + (columns - 48) ** 2) / 200.0)
    bump[100:, :20] = np.nan
    path = tmp_path / "bump_height_mm.npy"
    np.save(path, bump.astype(np.float32))
    data_set = LitHeights(f"lit:{path}", levelled=False, pitch_mm=0.5)
    frames = [frame for _, frame in data_set.frames()]
    assert data_set.count == len(frames) == 2
    assert "no photograph" in data_set.about
    pixels = frames[0].frame.pixels.astype(float)
    # The light comes from the earlier lines: the near flank is brighter than the far one.
    assert pixels[45:55, 44:53].mean() > pixels[80:90, 44:53].mean() + 10
    assert pixels[45:55, 44:53].mean() > pixels[66:74, 44:53].mean() + 20
    np.testing.assert_allclose(frames[0].height[:90], bump[:90], rtol=1e-6)
    assert np.isnan(frames[1].height[-1, 0])
    assert frames[0].pitch_mm == (0.5, 0.5)


def test_the_shading_does_not_depend_on_the_unit_of_length() -> None:
    bump = np.outer(np.hanning(80), np.hanning(80)).astype(np.float32) * 4
    np.testing.assert_array_equal(light_up(bump, 1.0), light_up(bump * 1000, 1000.0))
