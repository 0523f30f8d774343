"""Correction in the whole pipeline: from a source to published messages, with an exact account."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import genicam
import numpy as np
import pytest

from linescan.client.verify import StreamAudit
from linescan.config import Config, parse
from linescan.errors import ConfigError
from linescan.pipeline.factory import build_pipeline
from linescan.protocol import (
    InspectionMessage,
    Kind,
    Stamp,
    decode,
    encode,
    encode_end,
    encode_start,
)
from linescan.protocol.encode import encode_loss
from linescan.recording import Header, RecordingWriter
from linescan.records import Cause, Inspection, LineBlock, Loss
from tests.correction.webs import WIDTH, picture

STAMP = Stamp("web-1", "0b0e5d9e-6c5c-4b0e-9a53-8a34a1f0c001", 0, 1)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A web that speeds up, stands, runs back, goes on, and jumps; with a loss."""
    rng = np.random.default_rng(8)
    steps = np.concatenate(
        (
            rng.integers(2, 9, 300),
            np.zeros(50, np.int64),
            np.full(60, -7),
            rng.integers(8, 20, 300),
            [900],
            rng.integers(8, 12, 200),
        )
    )
    ticks = np.cumsum(steps)
    header = Header(width=WIDTH, dtype="uint16", bits=16)
    path = tmp_path / "uneven"
    with RecordingWriter(path, header) as writer:
        for first in range(0, len(ticks), 64):
            some = ticks[first : first + 64]
            if first == 512:
                writer.append(Loss(first, len(some), Cause.INCOMPLETE_BLOCK))
            else:
                writer.append(LineBlock(picture(some), first, len(some), 0, encoder=some))
    return path


def config(recording: Path, **resampling: Any) -> Config:
    settings = {"enabled": True, "mm_per_tick": 0.01, "row_mm": 0.1, **resampling}
    text = f"""
source: {{type: recording, path: {recording}}}
correction: {{encoder_resampling: {settings}}}
frame: {{lines: 64, overlap: 8}}
depth: {{enabled: false}}
publish: {{enabled: false}}
"""
    return parse(text.replace("True", "true").replace("None", "null"), "test")


def test_resampled_frames_balance_and_a_subscriber_can_prove_it(recording: Path) -> None:
    results: list[Any] = []
    pipeline, info = build_pipeline(config(recording), on_result=results.append)
    outcome = pipeline.run()
    totals = outcome.totals
    assert totals.balanced, totals.explain()
    assert totals.captured == 911
    assert totals.lost[Cause.INCOMPLETE_BLOCK] == 64
    assert 60 < totals.lost[Cause.REVERSED_TRAVEL] < 160
    assert "resample" in outcome.latencies
    assert info.along_mm == 0.1
    flags = {name for r in results if isinstance(r, Inspection) for name in _flags(r)}
    assert flags == {"encoder_reversed", "travel_skipped"}
    audit = StreamAudit()
    audit.feed(_decoded(encode_start(STAMP, software="s", settings={}, settings_sha256="")))
    inspections = events = 0
    for result in results:
        if isinstance(result, Loss):
            events += 1
            stamp = Stamp("web-1", STAMP.epoch, events, 1)
            audit.feed(_decoded(encode_loss(result, stamp)))
        else:
            stamp = Stamp("web-1", STAMP.epoch, inspections, 1)
            message = _decoded(encode(result, Kind.INSPECTION, stamp))
            assert isinstance(message, InspectionMessage)
            assert message.camera_lines == result.frame.camera_lines == message.lines()
            assert message.flags == tuple(_flags(result))
            inspections += 1
            audit.feed(message)
    end = Stamp("web-1", STAMP.epoch, events + 1, 1)
    account = encode_end(end, totals=totals.to_json(), last_seq=inspections - 1, reason="finished")
    audit.feed(_decoded(account))
    verdict = audit.result()
    assert verdict.ok, verdict.findings
    assert verdict.published == totals.published


def test_rows_are_of_equal_travel(recording: Path) -> None:
    results: list[Any] = []
    pipeline, _ = build_pipeline(config(recording), on_result=results.append)
    pipeline.run()
    frames = [r.frame for r in results if isinstance(r, Inspection)]
    for frame in frames:
        rows = frame.first_line + np.arange(len(frame.valid))
        true = picture(10 * rows + int(_first_tick(recording)))[frame.valid].astype(int)
        assert np.abs(frame.pixels[frame.valid].astype(int) - true).max() < 1500, "of 50,000"


def test_rows_need_a_length(recording: Path) -> None:
    with pytest.raises(ConfigError, match=r"'correction\.encoder_resampling\.row_mm': the source"):
        build_pipeline(config(recording, row_mm="auto"))
    with pytest.raises(ConfigError, match="'mm_per_tick' is missing: give the travel of the web"):
        config(recording, mm_per_tick=None)


def test_a_source_without_encoder_is_refused_at_once(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "web.png"), np.zeros((64, 32), np.uint8))
    viky = next(Path(str(genicam.__file__)).parent.rglob("*.cti"))
    keys = "enabled: true, mm_per_tick: 0.01, row_mm: 0.1"
    for source in (
        f"{{type: genicam, producer: {viky}, width: 320, block_lines: 120}}",
        f"{{type: images, path: {tmp_path / 'web.png'}}}",
    ):
        text = f"source: {source}\ncorrection: {{encoder_resampling: {{{keys}}}}}\n"
        with pytest.raises(ConfigError, match="gives no encoder ticks with its lines; leave"):
            build_pipeline(parse(text + "depth: {enabled: false}\n", "test"))


def test_lines_without_ticks_are_lost_with_a_cause(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "bare"
    with RecordingWriter(path, Header(width=WIDTH, dtype="uint8", bits=8)) as writer:
        writer.append(LineBlock(np.zeros((100, WIDTH), np.uint8), 0, 100, 0))
    pipeline, _ = build_pipeline(config(path))
    outcome = pipeline.run()
    assert outcome.totals.balanced
    assert outcome.totals.lost == {Cause.CORRECTION_FAILURE: 100}
    (said,) = [r for r in caplog.records if "no encoder tick" in r.message]
    assert said.exc_info is None, "it says what to do: no trace"


def _first_tick(path: Path) -> int:
    from linescan.recording import Recording

    first = next(b for b in Recording.open(path).blocks() if isinstance(b, LineBlock))
    assert first.encoder is not None
    return int(first.encoder[0])


def _flags(inspection: Inspection) -> list[str]:
    return [str(flag.name).lower() for flag in inspection.frame.flags]


def _decoded(frames: Any) -> Any:
    return decode([bytes(frame) for frame in frames])
