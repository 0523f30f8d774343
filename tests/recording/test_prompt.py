"""What was recorded reaches the disk also while nothing comes any more."""

from __future__ import annotations

from pathlib import Path

import pytest

from linescan.errors import SourceError
from linescan.recording import Prompt, Recording, RecordingWriter
from linescan.recording import prompt as prompt_module
from linescan.recording import writer as writer_module
from linescan.recording.writer import FILE_SECONDS
from linescan.records import Cause, Loss
from tests.recording.scans import block, expected_lines, header, lines_of
from tests.waiting import wait_until


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def nothing() -> None:
    raise AssertionError("the disk did not fail")


def test_a_web_that_stands_still(tmp_path: Path) -> None:
    path, clock = tmp_path / "scan", Clock()
    with RecordingWriter(path, header(), clock=clock) as writer:
        prompt = Prompt(writer, nothing)
        prompt.append(block(0, 3))
        clock.now += FILE_SECONDS / 2
        prompt.append(Loss(3, 2, Cause.CAMERA_GAP))
        prompt.tick()
        assert Recording.open(path).header.lines == 0
        clock.now += FILE_SECONDS / 2 + 0.01
        prompt.tick()
        recording = Recording.open(path)
        assert (recording.header.lines, recording.header.lost) == (3, 2)
        assert lines_of(recording) == expected_lines([block(0, 3)])
        clock.now += 3600
        prompt.tick()
        assert len(list((path / "blocks").iterdir())) == 1, "what is written is not written again"
        prompt.append(block(5, 1))
        prompt.tick()
        assert Recording.open(path).header.lines == 3, "the new line has not waited"
    assert lines_of(Recording.open(path)) == expected_lines([block(0, 3), block(5, 1)])


def test_a_thread_looks_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (writer_module, prompt_module):
        monkeypatch.setattr(module, "FILE_SECONDS", 0.02)
    path = tmp_path / "scan"
    with RecordingWriter(path, header()) as writer, Prompt(writer, nothing) as prompt:
        prompt.append(block(0, 1))
        wait_until(lambda: Recording.open(path).header.lines == 1)


def fail_meanwhile(path: Path, *, more: bool) -> None:
    clock = Clock()
    stopped: list[bool] = []
    with (
        RecordingWriter(path, header(), clock=clock) as writer,
        Prompt(writer, lambda: stopped.append(True)) as prompt,
    ):
        prompt.append(block(0, 1))
        (path / "blocks" / "000000.npy.part").symlink_to("/dev/full")
        clock.now += FILE_SECONDS + 1
        prompt.tick()
        assert stopped, "the source must be told"
        if more:
            prompt.append(block(1, 1))


@pytest.mark.parametrize("more", [True, False])
def test_a_disk_that_fails_meanwhile_ends_the_recording(tmp_path: Path, more: bool) -> None:
    with pytest.raises(SourceError, match="the disk is full"):
        fail_meanwhile(tmp_path / "scan", more=more)
    assert not Recording.open(tmp_path / "scan").header.complete
