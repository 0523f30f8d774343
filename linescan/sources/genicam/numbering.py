"""From what a camera says of its blocks to absolute lines and the losses between them.

The evidence, best first: the camera's line counter; the encoder, where it triggers the lines; block
ids and the height of a block; the encoder's travel; the clock. Each is believed only as far as the
line rate and the time that has passed allow.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from linescan.records import BlockFlag, Cause, Loss
from linescan.sources.genicam.clock import LinePace
from linescan.sources.genicam.messages import Block, Evidence, Handed
from linescan.sources.genicam.tracks import COUNTER_WRAPS, ID_WRAPS, TickTrack, Track

BLIND = 1000
"""Blocks that may be missing, at most, as long as no line rate is known."""
Best = Literal["auto", "line_counter", "encoder", "block_id", "clock"]
_RANK = {"auto": 0, "line_counter": 0, "encoder": 1, "block_id": 2, "clock": 3}
_DOUBT = "it is lower than before, or higher than time allows"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Gap:
    """Lines missing before a block."""

    lines: int
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Placed:
    """What a block amounts to: losses before it (and of it), its first line, its flags."""

    losses: tuple[Loss, ...]
    first_line: int
    flags: BlockFlag


@dataclass(frozen=True, slots=True)
class _Ahead:
    lines: int | None
    blocks: int | None


class LineNumbers:
    """Gives each block its first line. The first block that comes is line 0.

    Args:
        height: nominal lines of a block.
        rate_hz: the camera's line rate, where it tells one.
        triggered: lines come with the encoder or another trigger.
        best: the best evidence that may be used.
    """

    def __init__(
        self, height: int, rate_hz: float | None, *, triggered: bool = False, best: Best = "auto"
    ) -> None:
        self.next_line = 0
        self._height = height
        self._triggered = triggered
        self._rank = _RANK[best]
        self._pace = LinePace(rate_hz, height)
        self._counter = Track(COUNTER_WRAPS)
        self._ids = Track(ID_WRAPS)
        self._ticks = TickTrack()
        self._device: int | None = None
        self._last_at: int | None = None
        self._overruns: int | None = None
        self._under_runs = 0
        self._credit = 0
        self._first_id: int | None = None
        self._incomplete = 0
        self._reconnected = False
        self._varies = False

    @property
    def rate_hz(self) -> float | None:
        """Lines per second, as far as known."""
        return self._pace.rate_hz

    def reconnect(self) -> None:
        """A new stream begins: block ids and statistics start again."""
        self._ids.forget()
        self._pace.break_off()
        self._under_runs = self._credit = self._incomplete = 0
        self._overruns = None
        self._reconnected = self._last_at is not None

    def place(self, block: Block) -> Placed | None:
        """Number a block; None for one that only counts as missing before the next."""
        seen = block.evidence
        if seen is None:
            self._incomplete += 1
            return None
        most = self._most(seen)
        ahead = self._ahead(seen, most)
        gap = self._gap(seen, most, ahead) if self._last_at is not None else Gap(0)
        losses = self._explain(gap, seen)
        if self._last_at is None:
            self._first_id = seen.block_id
        first, flags = self.next_line, self._flags(seen, block.encoder)
        self._follow(seen, gap, ahead)
        cause = _LOST.get(block.handed)
        if cause is not None and seen.rows:
            losses.append(Loss(first, seen.rows, cause))
        return Placed(tuple(losses), first, flags)

    def finish(self) -> tuple[Loss, ...]:
        """Losses that no block followed."""
        lines, self._incomplete = self._incomplete * self._height, 0
        if not lines or self._last_at is None:
            return ()
        first, self.next_line = self.next_line, self.next_line + lines
        return (Loss(first, lines, Cause.INCOMPLETE_BLOCK, estimated=True),)

    def _gap(self, seen: Evidence, most: float, ahead: _Ahead) -> Gap:
        """Lines missing before a block, by the best evidence there is."""
        if ahead.lines is not None and self._rank <= _RANK["line_counter"]:
            return Gap(ahead.lines)
        travel = None
        if seen.ticks is not None and self._rank <= _RANK["encoder"]:
            travel = self._ticks.lines_since(seen.ticks[0])
            travel = travel if travel is not None and travel <= most else None
        if travel is not None and self._triggered:
            return Gap(travel)  # the encoder's ticks are what makes the lines
        if ahead.blocks is not None and self._rank <= _RANK["block_id"]:
            lines = ahead.blocks * self._height
            return Gap(lines, estimated=lines > 0 and self._varies)
        if travel is not None:
            return Gap(travel, estimated=travel > 0)
        return self._by_clock(seen, most)

    def _ahead(self, seen: Evidence, most: float) -> _Ahead:
        """How far line counter and block id are ahead; None where there is none to believe."""
        lines = blocks = None
        if seen.counter is not None and self._counter.begun:
            lines = self._counter.ahead(seen.counter, most, anew=self._reconnected)
            if lines is None:
                _log.warning("line counter %d is not believed: %s", seen.counter, _DOUBT)
        if seen.block_id is not None and self._ids.begun:
            blocks = self._ids.ahead(seen.block_id, most / self._height + 1)
            if blocks is None:
                _log.warning("block id %d is not believed: %s", seen.block_id, _DOUBT)
        return _Ahead(lines, blocks)

    def _most(self, seen: Evidence) -> float:
        """Lines that can be missing at most."""
        end = self._pace.most_by(seen.at_ns)
        if end is None:
            return BLIND * self._height
        return max(0.0, end - self.next_line - seen.rows)

    def _by_clock(self, seen: Evidence, most: float) -> Gap:
        """Whole blocks within a stream, lines after a reconnect; nothing without a line rate."""
        rate, last = self.rate_hz, self._last_at
        if not rate or last is None:
            lines = self._incomplete * self._height
            return Gap(lines, estimated=lines > 0)
        passed = seen.at_ns - last
        if seen.device_ns is not None and self._device is not None:
            by_device = seen.device_ns - self._device
            # A camera that was switched off has begun its clock again.
            same = not self._reconnected or abs(by_device - passed) < max(2e9, 0.1 * passed)
            passed = by_device if same and by_device > 0 else passed
        elif not self._reconnected:
            lost = self._incomplete + max(0, seen.under_runs - self._under_runs)
            return Gap(lost * self._height, estimated=lost > 0)
        lines = max(0, round(passed / 1e9 * rate) - seen.rows)
        if not self._reconnected:
            lines = round(lines / self._height) * self._height
        return Gap(min(lines, int(most)), estimated=lines > 0)

    def _explain(self, gap: Gap, seen: Evidence) -> list[Loss]:
        """Losses for missing lines, by what the producer counted meanwhile."""
        under_runs = self._credit + max(0, seen.under_runs - self._under_runs)
        parts = [
            (Cause.INCOMPLETE_BLOCK, self._incomplete * self._height),
            (Cause.UNDER_RUN, under_runs * self._height),
            (Cause.CAMERA_GAP, gap.lines),
        ]
        if self._reconnected:
            parts = [(Cause.RECONNECT, gap.lines)]
        left, losses = gap.lines, []
        for cause, lines in parts:
            count = min(lines, left)
            if count > 0:
                losses.append(Loss(self.next_line, count, cause, gap.estimated))
                self.next_line += count
                left -= count
                if cause is Cause.UNDER_RUN:
                    under_runs -= -(-count // self._height)
        # The count is read when a block is fetched: what it counts may lie behind that block.
        self._credit = self._behind(seen, under_runs) if self._reconnected else under_runs
        return losses

    def _behind(self, seen: Evidence, under_runs: int) -> int:
        """Of the under-runs of a new stream, those behind its first block: not before it, by id."""
        if seen.block_id is None or self._first_id is None:
            return 0
        before = seen.block_id - self._first_id
        return max(0, under_runs - before) if before >= 0 else 0

    def _flags(self, seen: Evidence, encoder: npt.NDArray[np.int64] | None) -> BlockFlag:
        flags = BlockFlag.NONE
        if seen.ticks is not None and self._ticks.reversed_by(seen.ticks, encoder):
            flags |= BlockFlag.ENCODER_REVERSED
        if seen.overruns is not None and seen.overruns > (
            seen.overruns if self._overruns is None else self._overruns
        ):
            flags |= BlockFlag.OVER_TRIGGER
        return flags

    def _follow(self, seen: Evidence, gap: Gap, ahead: _Ahead) -> None:
        """Everything that the next block is compared with."""
        if seen.counter is not None:
            if ahead.lines is None:
                self._counter.pass_over(gap.lines)
            self._counter.follow(seen.counter, seen.rows, believed=ahead.lines is not None)
        if seen.block_id is not None:
            if ahead.blocks is None:
                self._ids.pass_over(round(gap.lines / self._height))
            self._ids.follow(seen.block_id, 1, believed=ahead.blocks is not None)
        if seen.ticks is not None:
            self._ticks.follow(seen.ticks, seen.rows)
        self.next_line += seen.rows
        self._pace.note(self.next_line, seen.at_ns, fresh=seen.fresh)
        self._device, self._last_at = seen.device_ns, seen.at_ns
        self._overruns = seen.overruns
        self._under_runs = seen.under_runs
        self._incomplete = 0
        self._reconnected = False
        self._varies |= seen.rows != self._height


_LOST = {
    Handed.INCOMPLETE: Cause.INCOMPLETE_BLOCK,
    Handed.NO_SLOT: Cause.RING_OVERFLOW,
    Handed.BAD: Cause.FORMAT_CHANGE,
}
