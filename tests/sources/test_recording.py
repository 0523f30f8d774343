"""Replay: the recording comes out as it went in, damage and losses are accounted for."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linescan.config import Pitch, RecordingSource
from linescan.errors import SourceError
from linescan.recording import Header, Recording, RecordingWriter
from linescan.records import BlockFlag, Cause, LineBlock, Loss
from linescan.sources.recording import RecordingPlayer
from tests.sources.helpers import Played

WIDTH = 16
PERIOD_NS = 50_000


def player(path: Path, **options: Any) -> RecordingPlayer:
    return RecordingPlayer(RecordingSource(path=path, **options))


def block(first: int, rows: int) -> LineBlock:
    numbers = np.arange(first, first + rows)
    pixels = ((numbers[:, None] * 7 + np.arange(WIDTH)) % 251).astype(np.uint8)
    return LineBlock(
        pixels,
        first,
        rows,
        host_time_ns=5,
        device_time_ns=(first + rows) * PERIOD_NS,
        encoder=numbers.astype(np.int64) * 4,
        flags=BlockFlag.OVER_TRIGGER,
    )


def record(path: Path, items: list[LineBlock | Loss]) -> Path:
    header = Header(
        width=WIDTH,
        dtype="uint8",
        bits=8,
        line_rate_hz=20000.0,
        pitch=Pitch(across_mm=0.1, along_mm=0.2),
    )
    with RecordingWriter(path, header, file_bytes=10 * WIDTH) as writer:
        for item in items:
            writer.append(item)
    return path


ITEMS: list[LineBlock | Loss] = [
    block(100, 10),
    Loss(110, 7, Cause.CAMERA_GAP, estimated=True),
    block(117, 10),
    block(140, 5),  # 127 to 139 were never captured
    Loss(145, 2, Cause.INCOMPLETE_BLOCK),
]


def test_a_replay_gives_what_was_recorded(tmp_path: Path) -> None:
    before = time.time_ns()
    played = Played(player(record(tmp_path / "scan", ITEMS)))
    assert played.error is None
    for got, recorded in zip(played.items, ITEMS, strict=True):
        if isinstance(recorded, Loss):
            assert got == recorded
            continue
        assert isinstance(got, LineBlock)
        np.testing.assert_array_equal(got.pixels, recorded.pixels)
        np.testing.assert_array_equal(got.encoder, recorded.encoder)
        assert got.device_time_ns == recorded.device_time_ns
        assert got.flags == recorded.flags
        assert got.host_time_ns >= before  # the replay's own, so that latencies are real
    info = played.info
    assert (info.width, info.bits, info.line_rate_hz) == (WIDTH, 8, 20000.0)
    assert (info.across_mm, info.along_mm, info.total_lines) == (0.1, 0.2, 34)


def test_looping_continues_lines_times_and_ticks(tmp_path: Path) -> None:
    path = record(tmp_path / "scan", [block(100, 10), block(110, 10), block(120, 10)])
    played = Played(player(path, loop=True), stop_after=9)
    assert [b.first_line for b in played.blocks] == list(range(100, 190, 10))
    ticks = np.concatenate([b.encoder for b in played.blocks if b.encoder is not None])
    np.testing.assert_array_equal(ticks, np.arange(100, 190) * 4)
    times = [b.device_time_ns for b in played.blocks]
    assert times == [(b.first_line + 10) * PERIOD_NS for b in played.blocks]
    np.testing.assert_array_equal(played.pixels[:30], played.pixels[60:])
    assert played.info.total_lines is None


def test_looping_one_block_and_losses(tmp_path: Path) -> None:
    path = record(tmp_path / "scan", [block(0, 10), Loss(10, 5, Cause.UNDER_RUN)])
    played = Played(player(path, loop=True), stop_after=4)
    assert [i.lines()[0].first for i in played.items] == [0, 10, 15, 25]
    assert played.blocks[1].device_time_ns == 25 * PERIOD_NS  # from the recorded line rate


DAMAGES = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: os.truncate(path, 0),
    "cut": lambda path: os.truncate(path, 200),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_named_at_the_start(tmp_path: Path, damage: str) -> None:
    path = record(tmp_path / "scan", ITEMS)
    DAMAGES[damage](path / "blocks" / "000001.npy")
    with pytest.raises(SourceError) as caught:
        player(path).open(lambda _: None)
    text = str(caught.value)
    assert "blocks/000001.npy: bad block of 10 lines from line 117" in text
    assert "--skip-bad" in text
    assert "\n" not in text


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_lost_lines_with_skip_bad(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = record(tmp_path / "scan", ITEMS)
    DAMAGES[damage](path / "blocks" / "000001.npy")
    played = Played(player(path, skip_bad=True))
    assert played.error is None
    assert played.losses == [ITEMS[1], Loss(117, 10, Cause.BAD_BLOCK), ITEMS[4]]
    assert [b.first_line for b in played.blocks] == [100, 140]
    assert "000001.npy" in caplog.text


def test_damage_while_playing_is_a_loss_and_then_the_error(tmp_path: Path) -> None:
    path = record(tmp_path / "scan", ITEMS)
    source = player(path)
    source.open(lambda _: None)
    (path / "blocks" / "000001.npy").unlink()
    items = source.items()
    assert isinstance(next(items), LineBlock)
    assert next(items) == ITEMS[1]
    assert next(items) == Loss(117, 10, Cause.BAD_BLOCK)
    with pytest.raises(SourceError, match=r"000001\.npy"):
        next(items)
    source.close()


def test_nothing_readable_is_an_error_not_a_busy_loop(tmp_path: Path) -> None:
    path = record(tmp_path / "scan", [block(0, 10)])
    (path / "blocks" / "000000.npy").unlink()
    played = Played(player(path, skip_bad=True, loop=True))
    assert "none of its blocks can be read" in str(played.error)
    empty = record(tmp_path / "empty", [Loss(0, 5, Cause.CAMERA_GAP)])
    with pytest.raises(SourceError, match="holds no lines"):
        player(empty).open(lambda _: None)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_damage_balances(data: st.DataObject) -> None:
    """Whatever file is cut where: each line is right or lost."""
    with tempfile.TemporaryDirectory() as folder:
        path = record(Path(folder) / "scan", ITEMS)
        files = sorted((path / "blocks").iterdir())
        names = st.sampled_from([file.name for file in files])
        for name in data.draw(st.lists(names, min_size=1, max_size=2, unique=True)):
            size = (path / "blocks" / name).stat().st_size
            os.truncate(path / "blocks" / name, data.draw(st.integers(0, size - 1)))
        played = Played(player(path, skip_bad=True))
        assert played.captured.count() == 34
        for item in played.blocks:
            expected = block(item.first_line, len(item.pixels))
            np.testing.assert_array_equal(item.pixels, expected.pixels)
            np.testing.assert_array_equal(item.encoder, expected.encoder)


def test_stop_ends_the_wait_for_a_slow_line(tmp_path: Path) -> None:
    path = record(tmp_path / "scan", ITEMS)
    source = player(path, rate=0.01)  # the first block is due in minutes
    given: list[LineBlock | Loss] = []
    captured: list[object] = []
    source.open(captured.append)
    thread = threading.Thread(target=lambda: given.extend(source.items()))
    thread.start()
    source.stop()
    thread.join(20)
    assert not thread.is_alive()
    assert given == []
    assert captured == []
    source.close()


def test_a_cut_short_recording_plays_to_its_last_whole_block(tmp_path: Path) -> None:
    header = Header(width=WIDTH, dtype="uint8", bits=8)
    writer = RecordingWriter(tmp_path / "scan", header, file_bytes=10 * WIDTH)
    for first in range(0, 35, 5):
        writer.append(block(first, 5))
    played = Played(player(tmp_path / "scan"))  # the writer has not closed it
    writer.close()
    assert played.info.total_lines == 30
    np.testing.assert_array_equal(played.pixels, block(0, 30).pixels)
    assert Recording.open(tmp_path / "scan").header.lines == 35
