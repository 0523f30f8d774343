"""From the camera's frame ids to absolute lines, with what is missing between them."""

from __future__ import annotations

from linescan.records import Cause, Loss

WRAP_16 = 65535
"""16-bit block ids of GigE Vision count from 1 to 65535 and then from 1 again; 0 is never used."""
MAX_PENDING = 64
"""Losses that wait for the next block, at most; further ones are added to the last."""


class FrameNumbers:
    """Gives each block its first line, and the blocks that are missing before it.

    The first block that arrives is line 0. Every block stands for ``height`` lines.
    """

    def __init__(self, height: int) -> None:
        self._height = height
        self._last: int | None = None
        self.next_line = 0

    def missing(self, frame_id: int | None) -> int:
        """Blocks missing between the last block and this one, which takes its place.

        Without an id there is no evidence of gaps, and none is reported.
        """
        last, self._last = self._last, frame_id
        if last is None or frame_id is None:
            return 0
        step = frame_id - last
        if step < 0 and last <= WRAP_16:
            step %= WRAP_16
            # A long way back is no wrap: the camera started to count anew.
            step = step if step <= WRAP_16 // 2 else 1
        return max(0, step - 1)

    def take(self, blocks: int) -> int:
        """The first of the lines that so many blocks stand for."""
        first, self.next_line = self.next_line, self.next_line + blocks * self._height
        return first


class PendingLosses:
    """Losses since the last block that was handed over; bounded."""

    def __init__(self) -> None:
        self._losses: list[Loss] = []

    def add(self, loss: Loss) -> None:
        """Add lines; all lines since the last block handed over are lost, without a gap."""
        if loss.count < 1:
            return
        last = self._losses[-1] if self._losses else None
        full = len(self._losses) >= MAX_PENDING
        if last is None or not (full or _same_kind(last, loss)):
            self._losses.append(loss)
            return
        self._losses[-1] = Loss(
            last.first_line, loss.lines()[0].end - last.first_line, last.cause, last.estimated
        )

    def take(self) -> tuple[Loss, ...]:
        """All of them; none are left."""
        losses, self._losses = tuple(self._losses), []
        return losses


def _same_kind(one: Loss, other: Loss) -> bool:
    return (one.cause, one.estimated) == (other.cause, other.estimated)


def explain_gap(
    first_line: int, height: int, missing: int, *, incomplete: int, under_run: int
) -> list[Loss]:
    """Losses for blocks that are missing, by what the producer counted meanwhile.

    Args:
        first_line: first line of the first missing block.
        height: lines of a block.
        missing: number of missing blocks.
        incomplete: blocks that arrived incomplete.
        under_run: blocks that the producer dropped for want of a buffer.
    """
    parts = [(Cause.INCOMPLETE_BLOCK, incomplete), (Cause.UNDER_RUN, under_run)]
    losses = []
    for cause, count in [*parts, (Cause.CAMERA_GAP, missing)]:
        blocks = min(count, missing)
        if blocks > 0:
            losses.append(Loss(first_line, blocks * height, cause))
            first_line += blocks * height
            missing -= blocks
    return losses
