"""Plays a recording as the camera gave it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator

from linescan.config import RecordingSource
from linescan.errors import SourceError
from linescan.recording import BadBlockError, LossEntry, Recording
from linescan.records import Cause, Interval, LineBlock, Loss
from linescan.sources.advice import SKIP_BAD
from linescan.sources.base import SourceInfo
from linescan.sources.continuation import Continuation
from linescan.sources.pacing import Pacer

_log = logging.getLogger(__name__)


class RecordingPlayer:
    """Gives the blocks of a recording, and the losses that were recorded with them.

    Host times are those of the replay, so that latencies are real; device times and encoder ticks
    are the recorded ones. When it starts again, line numbers, device times and ticks go on.
    """

    def __init__(self, section: RecordingSource) -> None:
        self._section = section
        self._pacer = Pacer(section.rate)
        self._recording: Recording | None = None
        self._captured: Callable[[Iterable[Interval]], None] = lambda _: None

    @property
    def description(self) -> SourceInfo:
        """What is known of the source; only once it is open."""
        header = self._open_recording().header
        rate = header.line_rate_hz if self._section.rate == "max" else self._section.rate
        return SourceInfo(
            name=f"recording {self._open_recording().path}",
            width=header.width,
            dtype=header.dtype,
            bits=header.bits,
            line_rate_hz=rate,
            across_mm=header.pitch.across_mm,
            along_mm=header.pitch.along_mm,
            total_lines=None if self._section.loop else header.lines + header.lost,
        )

    def open(self, captured: Callable[[Iterable[Interval]], None]) -> None:
        """Check the recording; without ``skip_bad`` also that each of its files is whole.

        Raises:
            SourceError: it is no recording, holds no lines, or is damaged.
        """
        recording = Recording.open(self._section.path)
        if not recording.header.lines:
            raise SourceError(f"{recording.path}: the recording holds no lines")
        if not self._section.skip_bad:
            try:
                recording.check_files()
            except BadBlockError as error:
                raise SourceError(f"{error}; {SKIP_BAD}") from error
        self._recording = recording
        self._captured = captured

    def items(self) -> Iterator[LineBlock | Loss]:
        """Blocks and losses in order; see ``Source.items``.

        Raises:
            SourceError: a block cannot be read (without ``skip_bad``), or none can.
        """
        recording = self._open_recording()
        shift = Continuation(recording.header.line_rate_hz)
        while True:
            readable = False
            for item in self._one_pass(recording, shift):
                readable = readable or isinstance(item, LineBlock)
                yield item
            if self._pacer.stopped:
                return
            if not readable:
                raise SourceError(f"{recording.path}: none of its blocks can be read")
            if not self._section.loop:
                return
            shift.begin_again()

    def stop(self) -> None:
        """End ``items`` soon."""
        self._pacer.stop()

    def close(self) -> None:
        """Release the recording."""
        self._pacer.stop()
        self._recording = None

    def _one_pass(self, recording: Recording, shift: Continuation) -> Iterator[LineBlock | Loss]:
        warned = ""
        for entry in recording.entries():
            if not self._pacer.wait(entry.count):
                return
            self._captured([Interval(entry.first_line + shift.lines, entry.count)])
            if isinstance(entry, LossEntry):
                yield shift.loss(entry.loss)
                continue
            try:
                block = recording.read(entry)
            except BadBlockError as error:
                yield shift.loss(Loss(entry.first_line, entry.count, Cause.BAD_BLOCK))
                if not self._section.skip_bad:
                    raise SourceError(f"{error}; {SKIP_BAD}") from error
                if entry.file != warned:
                    warned = entry.file
                    _log.warning("%s: its lines count as lost", error)
            else:
                yield shift.block(block)

    def _open_recording(self) -> Recording:
        if self._recording is None:
            raise SourceError(f"{self._section.path}: the recording is not open")
        return self._recording
