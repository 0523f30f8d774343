"""The simulated camera, and recordings of it with their truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from linescan.config import RecordingSource, SimulatedSource
from linescan.errors import SourceError
from linescan.recording import HeightEncoding, Recording
from linescan.recording.truth_files import block_means
from linescan.simulation import SimulatedWeb, preset
from linescan.sources.recording import RecordingPlayer
from linescan.sources.simulated import SimulatedCamera, record_simulated
from tests.sources.helpers import Played

SECTION = SimulatedSource(preset="parts", seed=3, width=128, block_lines=48, lines=200)


def web() -> SimulatedWeb:
    return SimulatedWeb(preset("parts", seed=3, width=128))


def test_the_camera_gives_the_web() -> None:
    played = Played(SimulatedCamera(SECTION))
    lines = web().lines(0, 200)
    np.testing.assert_array_equal(played.pixels, lines.pixels)
    ticks = np.concatenate([b.encoder for b in played.blocks if b.encoder is not None])
    np.testing.assert_array_equal(ticks, lines.encoder)
    assert [b.valid_rows for b in played.blocks] == [48, 48, 48, 48, 8]
    assert played.info.total_lines == 200
    assert played.info.across_mm == pytest.approx(0.2 * 512 / 128)


def test_an_endless_web_stops_when_told() -> None:
    endless = SECTION.model_copy(update={"lines": None})
    played = Played(SimulatedCamera(endless), stop_after=7)
    assert played.captured.count() == 7 * 48
    assert played.info.total_lines is None


def test_what_cannot_be_simulated_is_said(tmp_path: Path) -> None:
    narrow = SimulatedCamera(SECTION.model_copy(update={"width": 8}))
    with pytest.raises(SourceError, match="at least 64 columns, got 8"):
        narrow.open(lambda _: None)
    with pytest.raises(SourceError, match="say how many lines"):
        record_simulated(SECTION.model_copy(update={"lines": None}), tmp_path / "scan")


def test_a_recording_of_it_holds_the_truth(tmp_path: Path) -> None:
    done: list[int] = []
    encoding = HeightEncoding(step=4, dtype="uint16", scale=0.001, offset=-32.0)
    header = record_simulated(
        SECTION,
        tmp_path / "scan",
        camera="demo",
        line_rate_hz=10000.0,
        truth=encoding,
        progress=done.append,
    )
    assert done == [48, 96, 144, 192, 200]
    recording = Recording.open(tmp_path / "scan")
    assert recording.header == header
    assert (header.camera, header.provenance.seed, header.lines) == ("demo", 3, 200)
    played = Played(RecordingPlayer(RecordingSource(path=tmp_path / "scan")))
    lines, truth = web().lines(0, 200), recording.truth
    np.testing.assert_array_equal(played.pixels, lines.pixels)
    assert truth is not None
    np.testing.assert_array_equal(truth.labels(0, 200), lines.labels)
    height, _ = truth.height(0, 200)
    np.testing.assert_allclose(height, block_means(lines.height, 4), atol=0.00051)
    expected = [(o.id, o.first_line, o.peak_mm) for o in web().objects(0, 200)]
    assert expected
    assert [(o.id, o.first_line, o.peak_mm) for o in truth.objects()] == expected
