"""The stitcher: blocks of any height become frames of a fixed number of rows, with overlap.

Frame k holds lines ``origin + k·(lines - overlap)`` and the ``lines - 1`` that follow; the origin
is the first line seen. How the camera cuts its lines into blocks has no influence. A row whose line
was lost, or never came, is not valid and zero; a frame without any new valid row is not made.

Where encoder resampling made rows of the lines, all of this holds for rows; the camera lines that
they carry travel with them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from linescan.records import Cause, Frame, LineBlock, Loss
from linescan.stages import FoldStage
from linescan.stitching.canvas import Canvas

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StitcherState:
    """What the stitcher remembers: the open canvas, the next line, the last frame it gave."""

    canvas: Canvas | None
    next_line: int
    last_frame: int | None


class Stitch(FoldStage[LineBlock, Frame, StitcherState]):
    """Blocks to frames.

    Args:
        lines: rows of a frame.
        overlap: rows that a frame shares with the one before; at most half of ``lines``.
        last: what becomes of a last frame that is not full: ``pad`` it with rows that are not
            valid, ``drop`` it (its new lines are lost as ``partial_frame``), or give it ``short``.
    """

    name = "stitch"
    failure = Cause.STITCHING_FAILURE

    def __init__(
        self, lines: int, overlap: int, last: Literal["pad", "drop", "short"] = "pad"
    ) -> None:
        if not 0 <= overlap * 2 <= lines:
            raise ValueError(f"overlap {overlap} does not fit frames of {lines} lines")
        self._lines = lines
        self._overlap = overlap
        self._last = last
        self._canvas: Canvas | None = None
        self._next_line = 0
        self._last_frame: int | None = None

    def process(self, item: LineBlock) -> Iterator[Frame | Loss]:
        """Fill rows and give the frames that become full."""
        lines = item.rows()
        if self._canvas is not None and not self._canvas.fits(item):
            log.warning("line %d: the image format changed; a new frame begins", lines.first)
            yield from self._close(pad=True)
        if self._canvas is None:
            self._canvas = Canvas(lines.first, self._lines, item.pixels.shape[1], item.pixels.dtype)
            self._next_line = lines.first
        if lines.first < self._next_line:
            last = min(lines.end, self._next_line) - 1
            log.error("lines %d to %d came twice; ignored", lines.first, last)
        at = max(lines.first, self._next_line)
        while at < lines.end:
            yield from self._advance(at)
            end = min(lines.end, self._canvas.end)
            self._canvas.write(item, at, end)
            at = end
        yield from self._advance(max(lines.end, self._next_line))

    def skip(self, loss: Loss) -> Iterator[Frame | Loss]:
        """Leave the lost lines' rows not valid; frames that nothing else can fill are given."""
        # Where rows are not camera lines, the rows that follow tell how many are missing.
        if self._canvas is not None and self._canvas.carried is None:
            yield from self._advance(max(loss.first_line + loss.count, self._next_line))
        yield loss

    def finish(self) -> Iterator[Frame | Loss]:
        """Give or drop the last frame."""
        if self._last == "drop" and self._canvas is not None:
            yield from self._drop(self._canvas)
            self._canvas = None
        else:
            yield from self._close(pad=self._last == "pad")

    def snapshot(self) -> StitcherState:
        """The open canvas and where it stands."""
        canvas = self._canvas.copy() if self._canvas else None
        return StitcherState(canvas, self._next_line, self._last_frame)

    def restore(self, state: StitcherState) -> None:
        """Go on from a snapshot."""
        self._canvas = state.canvas.copy() if state.canvas else None
        self._next_line = state.next_line
        self._last_frame = state.last_frame

    @property
    def _step(self) -> int:
        return self._lines - self._overlap

    def _advance(self, line: int) -> Iterator[Frame]:
        """All lines before ``line`` have come or never will: give what is complete."""
        self._next_line = line
        while self._canvas is not None and line >= self._canvas.end:
            canvas = self._canvas
            shared = self._shared(canvas)
            self._canvas = canvas.next(self._steps_to(canvas, line) * self._step)
            if canvas.has_new_lines(shared):
                self._last_frame = canvas.first_line
                yield canvas.frame(shared)

    def _steps_to(self, canvas: Canvas, line: int) -> int:
        """Frames to go forward: over those that would hold no line at all."""
        following = canvas.first_line + self._step
        if canvas.valid[self._step :].any():
            return 1
        empty = max(line - following - self._lines, 0) // self._step
        return 1 + empty

    def _shared(self, canvas: Canvas) -> int:
        """Rows that the canvas shares with the frame given last."""
        return self._overlap if self._last_frame == canvas.first_line - self._step else 0

    def _close(self, *, pad: bool) -> Iterator[Frame]:
        canvas, self._canvas = self._canvas, None
        if canvas is None:
            return
        shared = self._shared(canvas)
        self._last_frame = None
        if canvas.has_new_lines(shared):
            rows = None if pad else self._next_line - canvas.first_line
            yield canvas.frame(shared, rows)

    def _drop(self, canvas: Canvas) -> Iterator[Loss]:
        shared = self._shared(canvas)
        for lost in canvas.lines(shared):
            yield Loss(lost.first, lost.count, Cause.PARTIAL_FRAME)
