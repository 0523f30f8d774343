"""Writing: whole blocks on disk, soon, in bounded memory, and nothing overwritten."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from linescan.errors import SourceError
from linescan.recording import HeightEncoding, Recording, RecordingWriter
from linescan.recording import writer as writer_module
from linescan.records import Cause, LineBlock, Loss
from tests.recording.scans import WIDTH, block, expected_lines, header, lines_of, write


def test_a_crash_leaves_whole_blocks(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    program = """
import os, signal, sys
from pathlib import Path
import numpy as np
from linescan.recording import Header, RecordingWriter
from linescan.records import LineBlock
writer = RecordingWriter(Path(sys.argv[1]), Header(width=24, dtype="uint8", bits=8), file_bytes=480)
for first in range(0, 95, 5):
    pixels = np.random.default_rng(first).integers(0, 256, (5, 24), dtype=np.uint8)
    writer.append(LineBlock(pixels, first, 5, 1000 + first))
os.kill(os.getpid(), signal.SIGKILL)
"""
    path = tmp_path / "scan"
    done = subprocess.run([sys.executable, "-c", program, str(path)], check=False, timeout=30)
    assert done.returncode == -signal.SIGKILL
    (path / "blocks" / "000004.npy.part").write_bytes(b"half")
    with (path / "blocks.csv").open("a") as index:
        index.write("block,80,5,0000")  # a row that the crash cut
    with caplog.at_level(logging.WARNING):
        recording = Recording.open(path)
    assert "cut short" in caplog.text
    assert not recording.header.complete
    assert recording.header.lines == 80  # four files of 20 lines; the 15 in memory are gone
    assert lines_of(recording) == expected_lines([block(n, 5) for n in range(0, 80, 5)])


def test_a_full_disk_is_one_sentence_and_what_was_written_stays(tmp_path: Path) -> None:
    path = tmp_path / "scan"
    with RecordingWriter(path, header(), file_bytes=10 * WIDTH) as writer:
        writer.append(block(0, 10))
        (path / "blocks" / "000001.npy.part").symlink_to("/dev/full")
        with pytest.raises(SourceError) as caught:
            writer.append(block(10, 10))
    text = str(caught.value)
    assert str(path) in text
    assert "the disk is full" in text
    assert "MB are free" in text
    assert "\n" not in text
    with pytest.raises(SourceError, match="earlier error"):
        writer.append(block(20, 10))
    assert lines_of(Recording.open(path)) == expected_lines([block(0, 10)])


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(SourceError, match="file is in the way"):
        RecordingWriter(tmp_path / "file", header())
    with pytest.raises(SourceError, match="cannot write the recording"):
        RecordingWriter(tmp_path / "file" / "below", header())


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    path = tmp_path / "scan"
    write(path, [block(0, 10)])
    with pytest.raises(SourceError, match="there is a recording already"):
        RecordingWriter(path, header())
    assert len(lines_of(Recording.open(path))) == 10
    (path / "notes.txt").write_text("mine")
    recording = write(path, [block(5, 3)], overwrite=True)
    assert lines_of(recording) == expected_lines([block(5, 3)])
    assert (path / "notes.txt").read_text() == "mine"
    other = tmp_path / "photos"
    other.mkdir()
    (other / "cat.jpg").write_bytes(b"cat")
    with pytest.raises(SourceError, match="the folder holds other files"):
        RecordingWriter(other, header(), overwrite=True)
    assert [p.name for p in other.iterdir()] == ["cat.jpg"]


def test_wrong_blocks_are_refused(tmp_path: Path) -> None:
    with RecordingWriter(tmp_path / "scan", header()) as writer:
        writer.append(block(0, 10))
        with pytest.raises(SourceError, match="24 pixels of uint16"):
            writer.append(LineBlock(np.zeros((2, WIDTH), np.uint16), 10, 2, 0))
        with pytest.raises(SourceError, match="expected 10 or later"):
            writer.append(block(9, 2))
        writer.append(block(10, 2))
    assert Recording.open(tmp_path / "scan").header.lines == 12


def test_memory_and_files_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with RecordingWriter(tmp_path / "scan", header(), file_bytes=100 * WIDTH) as writer:
        for first in range(0, 1000, 2):
            writer.append(block(first, 2))
            assert sum(e.count for e in writer._pending) < 100
        writer.append(LineBlock(np.zeros((1000, WIDTH), np.uint8), 1000, 1000, 0))
        monkeypatch.setattr(writer_module, "MAX_PENDING", 8)
        for n in range(100):
            writer.append(Loss(2000 + n, 1, Cause.CAMERA_GAP))
            assert len(writer._pending) < 8
    assert len(list((tmp_path / "scan" / "blocks").iterdir())) == 20
    assert Recording.open(tmp_path / "scan").header.lines == 2000
    assert Recording.open(tmp_path / "scan").header.lost == 100


def test_slow_lines_reach_the_disk_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "FILE_SECONDS", 0.0)
    with RecordingWriter(tmp_path / "scan", header()) as writer:
        writer.append(block(0, 1))
        writer.append(block(1, 1))
        assert Recording.open(tmp_path / "scan").header.lines >= 1


def test_the_block_may_be_reused_once_appended(tmp_path: Path) -> None:
    pixels = np.zeros((4, WIDTH), np.uint8)
    with RecordingWriter(tmp_path / "scan", header()) as writer:
        for n in range(3):
            pixels[:] = n
            writer.append(LineBlock(pixels, 4 * n, 4, 0))
    found = lines_of(Recording.open(tmp_path / "scan"))
    assert {line: row[0] for line, row in found.items()} == {n: n // 4 for n in range(12)}


def test_no_truth_without_asking(tmp_path: Path) -> None:
    with RecordingWriter(tmp_path / "scan", header()) as writer:
        with pytest.raises(ValueError, match="without truth"):
            writer.append_truth(0, np.zeros((1, WIDTH), np.float32))
        with pytest.raises(ValueError, match="without truth"):
            writer.append_objects([])
    assert Recording.open(tmp_path / "scan").truth is None
    with RecordingWriter(tmp_path / "other", header(), truth=HeightEncoding()):
        pass
    assert Recording.open(tmp_path / "other").truth is None
