"""The stage that makes rows of equal travel from lines of uneven travel.

Rows count steps of equal length on the web; the first row has the number of the first line. A line
belongs to the row in whose cell (half a row to either side of the row's centre) it lies, and that
row carries it: a captured line is published with its row. Rows that no line is near are left out;
nothing is put in their place.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from linescan.correction.rows import Floats, make_rows, mix_rows
from linescan.correction.travel import Origin, Stretch, Ticks, follow
from linescan.errors import CalibrationError
from linescan.records import BlockFlag, Cause, GrayArray, LineBlock, Loss, true_runs
from linescan.stages import FoldStage

FINEST: Final = 32
"""Lines a row that are used at most; more add nothing to a mean, and must be kept in memory."""
MOST_RUNS: Final = 4096
"""Runs of lines that a row carries at most, where the web trembles in one place."""

Runs = npt.NDArray[np.int64]
"""(n, 3): first camera line, number of lines, row that carries them."""


@dataclass(frozen=True, slots=True, eq=False)
class Open:
    """Lines that rows to come are made of.

    Attributes:
        pixels: (n, width) the lines.
        places: (n,) float64, strictly rising: where they lie, in rows.
        next_row: the next row to give.
        carried: runs of lines of rows that were not given yet.
        block: the newest block that lines came from; without pixels.
    """

    pixels: GrayArray
    places: Floats
    next_row: int
    carried: Runs
    block: LineBlock


@dataclass(frozen=True, slots=True)
class ResamplerState:
    """What the resampler remembers; nothing in it is written to again.

    Attributes:
        origin: where the encoder's count stands.
        open: lines that rows to come are made of.
        next_line: the line after the newest.
        away: the camera was away since.
        flags: for the next rows.
    """

    origin: Origin | None = None
    open: Open | None = None
    next_line: int = 0
    away: bool = False
    flags: BlockFlag = BlockFlag.NONE


class Resample(FoldStage[LineBlock, LineBlock, ResamplerState]):
    """Blocks of lines to blocks of rows.

    Lines of a web that runs back are lost as ``reversed_travel``, and the rows that follow are
    flagged ``encoder_reversed``; a larger step than ``max_gap`` leaves rows out, flagged
    ``travel_skipped``; so does a lost line that leaves a row without any.

    Args:
        ticks_per_row: travel of one row, in encoder ticks; negative where ticks fall while the web
            runs forward.
        max_gap: travel between two lines, in rows, that is interpolated; at least 1.
        jitter: rows of a step back that count as standing still.
    """

    name = "resample"
    failure = Cause.CORRECTION_FAILURE

    def __init__(self, ticks_per_row: float, max_gap: float = 3.0, jitter: float = 1.0) -> None:
        if not (math.isfinite(ticks_per_row) and ticks_per_row) or max_gap < 1 or jitter < 0:
            raise ValueError(f"no rows of {ticks_per_row} ticks, gap {max_gap}, jitter {jitter}")
        self._sign = 1 if ticks_per_row > 0 else -1
        self._ticks_per_row = abs(ticks_per_row)
        self._max_gap = max_gap
        self._jitter = jitter
        self._state = ResamplerState()

    def process(self, item: LineBlock) -> Iterator[LineBlock | Loss]:
        """Place the lines and give the rows that are complete.

        Raises:
            CalibrationError: the block has no encoder ticks.
        """
        if not item.valid_rows:
            return
        ticks = self._sign * _ticks_of(item)
        yield from self._follow_format(item, int(ticks[0]))
        state = self._state
        origin = state.origin or Origin(int(ticks[0]), item.first_line, int(ticks[0]))
        lost = state.origin is not None and item.first_line != state.next_line
        flags = item.flags
        for stretch, reached in follow(
            origin, ticks, self._ticks_per_row, self._jitter, may_restart=state.away
        ):
            if stretch.restarted:
                yield from self._close()
                flags |= BlockFlag.ENCODER_RESTARTED
            self._state = replace(self._state, origin=reached, flags=self._state.flags | flags)
            yield from self._take(item, stretch, lost=lost)
            flags, lost = BlockFlag.NONE, False
        self._state = replace(self._state, next_line=item.first_line + item.valid_rows, away=False)

    def skip(self, loss: Loss) -> Iterator[LineBlock | Loss]:
        """Note that the camera was away, and pass the loss on.

        Only a camera that was opened anew may have lost its count with its power. Whatever else
        costs lines leaves the stream as it is: a lower count is then a web that runs back.
        """
        if loss.cause is Cause.RECONNECT:
            self._state = replace(self._state, away=True)
        yield loss

    def finish(self) -> Iterator[LineBlock | Loss]:
        """Give the last rows."""
        yield from self._close()

    def snapshot(self) -> ResamplerState:
        """The open lines and where the count stands."""
        return self._state

    def restore(self, state: ResamplerState) -> None:
        """Go on from a snapshot."""
        self._state = state

    def _follow_format(self, item: LineBlock, tick: int) -> Iterator[LineBlock]:
        """Begin anew, in the next row, where the pixels are others."""
        held = self._state.open
        if held is None:
            return
        one, other = held.pixels, item.pixels
        if one.shape[1] != other.shape[1] or one.dtype != other.dtype:
            yield from self._close()
            row = int(_cells(held.places[-1:])[0]) + 1
            self._state = replace(self._state, origin=Origin(tick, row, tick))

    def _take(self, item: LineBlock, stretch: Stretch, *, lost: bool) -> Iterator[LineBlock | Loss]:
        """Take lines of a block; give the rows that they complete, and those that ran back."""
        if stretch.back.any():
            self._flag(BlockFlag.ENCODER_REVERSED)
        first = item.first_line + stretch.begin
        for run in true_runs(stretch.back):
            yield Loss(first + run.first, run.count, Cause.REVERSED_TRAVEL)
        forward = np.flatnonzero(~stretch.back)
        if not forward.size:
            return
        places = stretch.places[forward]
        carried = _runs(first + forward, _cells(places))
        held = self._state.open
        nothing: Any = np.empty(
            (0, item.pixels.shape[1]), item.pixels.dtype
        )  # lets go of the block
        block = replace(item, pixels=nothing, encoder=None, encoder_ends=None, flags=BlockFlag.NONE)
        fresh = _thin(places, -math.inf if held is None else float(held.places[-1]))
        pixels: Any = item.pixels[stretch.begin + forward[fresh]]
        places = places[fresh]
        if held is None:
            row = int(_cells(places)[0])
            held = Open(pixels[:0], places[:0], row, carried[:0], block)
        carried, given_up = _join(held.carried, carried)
        yield from given_up
        joint = np.concatenate((held.places, places))
        seam = len(held.places) if lost else 0
        breaks = self._breaks(joint, seam)
        joined: GrayArray = np.concatenate((held.pixels, pixels))
        held = Open(joined, joint, held.next_row, carried, block)
        yield from self._give(held, breaks, seam)

    def _breaks(self, places: Floats, seam: int) -> list[int]:
        """Indices of lines that lie too far from the one before for rows in between.

        Before the line at ``seam``, where it is not 0, lines were lost.
        """
        apart = np.diff(places) > self._max_gap
        if 0 < seam < places.size:
            row, before = _cells(places[[seam, seam - 1]])
            apart[seam - 1] |= row - before >= 2
        return [int(at) + 1 for at in np.flatnonzero(apart)]

    def _give(self, held: Open, breaks: list[int], seam: int) -> Iterator[LineBlock]:
        """Give all rows but those that lines to come may still change."""
        begin = 0
        for at in breaks:
            piece = replace(held, pixels=held.pixels[begin:at], places=held.places[begin:at])
            row = int(_cells(held.places[at : at + 1])[0])
            yield from self._rows(piece, int(_cells(piece.places[-1:])[0]) + 1)
            if at != seam:
                self._flag(BlockFlag.TRAVEL_SKIPPED)
            held = replace(held, next_row=row)
            begin = at
        held = replace(held, pixels=held.pixels[begin:], places=held.places[begin:])
        end = int(_cells(held.places[-1:])[0])
        yield from self._rows(held, end)
        kept = max(int(np.searchsorted(held.places, end - 0.5, "right")) - 1, 0)
        self._state = replace(
            self._state,
            open=Open(
                held.pixels[kept:].copy(),
                held.places[kept:],
                max(end, held.next_row),
                held.carried[np.searchsorted(held.carried[:, 2], end) :],
                held.block,
            ),
        )

    def _close(self) -> Iterator[LineBlock]:
        """Give what is left of the open lines."""
        held = self._state.open
        if held is not None:
            self._state = replace(self._state, open=None)
            yield from self._rows(held, int(_cells(held.places[-1:])[0]) + 1)

    def _rows(self, held: Open, end: int) -> Iterator[LineBlock]:
        """The rows from the next one to ``end`` (exclusive), as a block."""
        first = held.next_row
        if end <= first:
            return
        rows = np.arange(first, end, dtype=np.float64)
        pixels = make_rows(held.pixels, mix_rows(held.places, rows))
        low, high = np.searchsorted(held.carried[:, 2], (first, end))
        flags, self._state = self._state.flags, replace(self._state, flags=BlockFlag.NONE)
        yield replace(
            held.block,
            pixels=pixels,
            first_line=first,
            valid_rows=end - first,
            encoder=self._ticks(first, end),
            flags=flags,
            carried=held.carried[low:high],
        )

    def _ticks(self, first: int, end: int) -> Ticks:
        """The ticks that the rows' centres stand for."""
        origin = self._state.origin
        if origin is None:
            raise ValueError("rows without an origin")
        steps = np.arange(first - origin.row, end - origin.row) * self._ticks_per_row
        ticks: Ticks = self._sign * (origin.tick + np.rint(steps).astype(np.int64))
        return ticks

    def _flag(self, flag: BlockFlag) -> None:
        self._state = replace(self._state, flags=self._state.flags | flag)


def _ticks_of(block: LineBlock) -> Ticks:
    """The tick of each valid line; where only those of both ends are known, on a line in between.

    Raises:
        CalibrationError: the block has no ticks.
    """
    if block.encoder is not None:
        return block.encoder[: block.valid_rows].astype(np.int64)
    if block.encoder_ends is None:
        raise CalibrationError(
            f"line {block.first_line} has no encoder tick: switch the camera's encoder chunks "
            "on (source.chunks), or correction.encoder_resampling off"
        )
    first, last = block.encoder_ends
    steps = np.linspace(0, last - first, block.valid_rows)
    ticks: Ticks = first + np.rint(steps).astype(np.int64)
    return ticks


def _cells(places: Floats) -> npt.NDArray[np.int64]:
    """The rows in whose cells places lie."""
    return np.floor(places + 0.5).astype(np.int64)


def _thin(places: Floats, last: float) -> npt.NDArray[np.bool_]:
    """Which lines add something: the first one in each part of a row."""
    parts = np.floor(np.concatenate(([last], places)) * FINEST)
    fresh: npt.NDArray[np.bool_] = parts[1:] > parts[:-1]
    return fresh


def _runs(lines: npt.NDArray[np.intp], rows: npt.NDArray[np.int64]) -> Runs:
    """Runs of neighbouring lines in the same row."""
    apart = np.flatnonzero((np.diff(lines) != 1) | (np.diff(rows) != 0)) + 1
    begins = np.concatenate(([0], apart))
    counts = np.diff(begins, append=lines.size)
    return np.stack((lines[begins], counts, rows[begins]), axis=1).astype(np.int64)


def _join(runs: Runs, more: Runs) -> tuple[Runs, list[Loss]]:
    """Runs of two blocks, and lines that are given up where a row carries too many runs."""
    if len(runs) and len(more):
        first, count, row = runs[-1]
        if first + count == more[0, 0] and row == more[0, 2]:
            more = more.copy()
            more[0, :2] = first, count + more[0, 1]
            runs = runs[:-1]
    joint = np.concatenate((runs, more))
    many = len(runs) - MOST_RUNS
    losses = [Loss(int(f), int(n), Cause.REVERSED_TRAVEL) for f, n, _ in joint[: max(many, 0)]]
    return joint[max(many, 0) :], losses
