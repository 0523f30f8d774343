"""Resident memory of another process as a run goes on."""

from __future__ import annotations

from contextlib import suppress

from linescan.benchmark.machine import import_psutil


class Resident:
    """Samples a process after each frame; a process that is gone keeps its last figures.

    Args:
        pid: of the process.
        frames: how many the run has.

    Attributes:
        mb: resident memory in MB (2^20 bytes) ``after_first`` frame, ``after_tenth`` of the frames
            and ``at_end``; empty where it was never sampled.
    """

    def __init__(self, pid: int, frames: int) -> None:
        self.mb: dict[str, float] = {}
        self._tenth = max(1, frames // 10)
        self._psutil = import_psutil()
        self._process = None
        with suppress(self._psutil.Error):
            self._process = self._psutil.Process(pid)

    def sample(self, done: int) -> None:
        """Note the memory of now, after so many frames; to be called for each of them."""
        if self._process is None:
            return
        with suppress(self._psutil.Error):
            mb = round(self._process.memory_info().rss / 2**20, 1)
            self.mb.setdefault("after_first", mb)
            if done <= self._tenth:
                self.mb["after_tenth"] = mb
            self.mb["at_end"] = mb
