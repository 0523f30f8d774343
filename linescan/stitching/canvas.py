"""The frame under construction: rows fill up from the top, each valid or not."""

from __future__ import annotations

import copy

import numpy as np
import numpy.typing as npt

from linescan.records import (
    BlockFlag,
    BoolArray,
    Frame,
    GrayArray,
    Interval,
    LineBlock,
    carried_lines,
    true_runs,
)

NO_TICK = np.iinfo(np.int64).min
"""Stands where a line came without an encoder tick."""


class Canvas:
    """Rows of one frame while lines arrive.

    Attributes:
        first_line: absolute line of the first row.
        pixels: (rows, width) uint8 or uint16; rows that are not valid hold anything.
        valid: (rows,) bool.
        acquired_ns: host time at which the newest row arrived.
        flags: what was noticed about any block that gave rows.
        flat_field: id of the reference that the newest row was corrected by.
        carried: (n, 3) runs of camera lines and their rows, a piece a block, where rows are not
            camera lines.
    """

    def __init__(self, first_line: int, rows: int, width: int, dtype: npt.DTypeLike) -> None:
        self.first_line = first_line
        self.pixels: GrayArray = np.empty((rows, width), dtype)
        self.valid: BoolArray = np.zeros(rows, np.bool_)
        self.encoder: npt.NDArray[np.int64] | None = None
        self.acquired_ns = 0
        self.flags = BlockFlag.NONE
        self.flat_field: str | None = None
        self.carried: list[npt.NDArray[np.int64]] | None = None

    @property
    def end(self) -> int:
        """The line after the last row."""
        return self.first_line + len(self.valid)

    def fits(self, block: LineBlock) -> bool:
        """Whether the block has the same width and pixel type."""
        return (
            block.pixels.shape[1] == self.pixels.shape[1]
            and block.pixels.dtype == self.pixels.dtype
        )

    def write(self, block: LineBlock, first: int, end: int) -> None:
        """Copy lines ``first`` to ``end`` (exclusive) of the block into their rows."""
        here = slice(first - self.first_line, end - self.first_line)
        there = slice(first - block.first_line, end - block.first_line)
        self.pixels[here] = block.pixels[there]
        self.valid[here] = True
        self.acquired_ns = block.host_time_ns
        self.flags |= block.flags
        self.flat_field = block.flat_field
        if block.carried is not None:
            self.carried = [*(self.carried or ()), _in_rows(block.carried, first, end)]
        if block.encoder is not None:
            if self.encoder is None:
                self.encoder = np.full(len(self.valid), NO_TICK)
            self.encoder[here] = block.encoder[there]
        elif self.encoder is not None:
            self.encoder[here] = NO_TICK

    def next(self, step: int) -> Canvas:
        """The canvas ``step`` lines on, with the rows that both share."""
        rows, width = self.pixels.shape
        follower = Canvas(self.first_line + step, rows, width, self.pixels.dtype)
        shared = max(rows - step, 0)
        follower.pixels[:shared] = self.pixels[rows - shared :]
        follower.valid[:shared] = self.valid[rows - shared :]
        follower.acquired_ns = self.acquired_ns
        follower.flat_field = self.flat_field
        if self.carried is not None:
            kept = (_in_rows(piece, follower.first_line, self.end) for piece in self.carried)
            follower.carried = [piece for piece in kept if len(piece)]
        if self.encoder is not None:
            follower.encoder = np.full(rows, NO_TICK)
            follower.encoder[:shared] = self.encoder[rows - shared :]
        return follower

    def has_new_lines(self, overlap: int) -> bool:
        """Whether any row below the overlap is valid."""
        return bool(self.valid[overlap:].any())

    def frame(self, overlap: int, rows: int | None = None) -> Frame:
        """The canvas as a frame; the canvas must not be written to afterwards."""
        pixels, valid = self.pixels[:rows], self.valid[:rows]
        if not valid.all():
            pixels[~valid] = 0
        return Frame(
            pixels=pixels,
            first_line=self.first_line,
            valid=valid,
            overlap=overlap,
            acquired_ns=self.acquired_ns,
            encoder=self._encoder_range(),
            stamps={"acquire": self.acquired_ns},
            flags=self.flags,
            flat_field=self.flat_field,
            camera_lines=None if self.carried is None else self.lines(0),
        )

    def lines(self, row: int) -> tuple[Interval, ...]:
        """The camera lines that the valid rows from ``row`` on stand for."""
        first = self.first_line + row
        if self.carried is None:
            return tuple(Interval(first + r.first, r.count) for r in true_runs(self.valid[row:]))
        pieces = [_in_rows(piece, first, self.end) for piece in self.carried]
        return carried_lines(np.concatenate(pieces)) if pieces else ()

    def copy(self) -> Canvas:
        """A canvas of its own with the same rows."""
        return copy.deepcopy(self)

    def _encoder_range(self) -> tuple[int, int] | None:
        if self.encoder is None:
            return None
        ticks = self.encoder[self.valid & (self.encoder != NO_TICK)]
        return (int(ticks[0]), int(ticks[-1])) if ticks.size else None


def _in_rows(carried: npt.NDArray[np.int64], first: int, end: int) -> npt.NDArray[np.int64]:
    """The runs whose row lies from ``first`` to ``end`` (exclusive)."""
    low, high = np.searchsorted(carried[:, 2], (first, end))
    return carried[low:high]
