"""The virtual camera as a source: a recording through GenICam, and back as it was."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linescan.config import GenicamSource, RecordingSource, load
from linescan.errors import SourceError
from linescan.records import Cause, LineBlock
from linescan.simulation.virtual_camera import ENVIRONMENT, NAME, build_producer
from linescan.sources.factory import open_source
from linescan.sources.virtual import VirtualCamera, make_world
from tests.compilers import needs_compiler
from tests.sources.helpers import Played

ROOT = Path(__file__).resolve().parents[2]
PARTS = ROOT / "sim_data" / "parts"


def section(tmp_path: Path, **settings: Any) -> GenicamSource:
    standard = {
        "producer": tmp_path / NAME,
        "block_lines": 256,
        "line_rate_hz": 8000,
        "virtual": {"recording": PARTS},
    }
    return GenicamSource.model_validate(standard | settings)


def lines_of(blocks: list[LineBlock]) -> np.ndarray:
    return np.concatenate([block.pixels[: block.valid_rows] for block in blocks])


@needs_compiler
def test_a_recording_comes_through_the_camera_as_replay_gives_it(tmp_path: Path) -> None:
    camera = open_source(section(tmp_path))
    assert isinstance(camera, VirtualCamera)
    played = Played(camera, stop_after=18)
    assert played.error is None
    truth = lines_of(Played(open_source(RecordingSource(path=PARTS))).blocks)
    got = lines_of(played.blocks)
    assert len(got) >= 18 * 256 > len(truth)
    assert np.array_equal(got, truth[np.arange(len(got)) % len(truth)])
    assert [b.first_line for b in played.blocks[:3]] == [0, 256, 512]
    assert ENVIRONMENT not in os.environ


@needs_compiler
def test_a_simulated_web_and_its_faults(tmp_path: Path) -> None:
    web = {"preset": "surface", "seed": 3, "width": 128, "lines": 500, "fault_every_lines": 2000}
    with make_world(tmp_path / "world", section(tmp_path, virtual=web)) as world:
        assert world.record.store_lines == 500
        assert world.record.store_width == 128
        faults = world.faults()
    assert len(faults) == 1000
    assert 1500 < np.mean(np.diff([f.fault.at for f in faults])) < 2500


def test_a_recording_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = section(tmp_path, virtual={"recording": tmp_path / "none"})
    with pytest.raises(SourceError, match="none"):
        make_world(tmp_path / "world", missing)


def test_lines_that_take_too_much_are_refused(tmp_path: Path) -> None:
    much = section(tmp_path, virtual={"width": 32768, "lines": 10**7})
    with pytest.raises(SourceError, match=r"set fewer with 'source\.virtual\.lines'"):
        make_world(tmp_path / "world", much)


def test_the_shipped_configuration_finds_its_files() -> None:
    source = load(ROOT / "configs" / "virtual-camera.yaml").source
    assert isinstance(source, GenicamSource)
    assert source.producer == ROOT / "build" / NAME
    assert source.virtual is not None
    assert source.virtual.recording == PARTS


@needs_compiler
def test_the_producer_is_built_anew_where_a_source_is_newer(tmp_path: Path) -> None:
    made = build_producer(tmp_path / NAME)
    kept = made.stat().st_mtime_ns
    assert build_producer(made).stat().st_mtime_ns == kept
    os.utime(made, (1, 1))
    assert build_producer(made).stat().st_mtime > 1


def test_without_a_compiler_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(SourceError, match="install one"):
        build_producer(tmp_path / NAME)


@needs_compiler
def test_no_place_for_the_world_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(SourceError, match=r"cannot be written: .* set TMPDIR to a folder"):
        open_source(section(tmp_path, producer=build_producer())).open(lambda _: None)


@needs_compiler
def test_acquisition_goes_on_after_faults_that_a_stream_survives(tmp_path: Path) -> None:
    web = {"recording": PARTS, "seed": 2, "fault_every_lines": 1500}
    played = Played(open_source(section(tmp_path, virtual=web)), stop_after=60)
    assert played.error is None
    assert {loss.cause for loss in played.losses} >= {Cause.INCOMPLETE_BLOCK, Cause.CAMERA_GAP}
