"""Lines, device times and encoder ticks that go on when a recording starts again."""

from __future__ import annotations

import time
from dataclasses import replace

from linescan.records import LineBlock, Loss


class Continuation:
    """Moves the items of each further pass behind those of the pass before.

    Attributes:
        lines: what is added to line numbers in this pass.
    """

    def __init__(self, line_rate_hz: float | None) -> None:
        self.lines = 0
        self._first: int | None = None
        self._end = 0
        self._device = _Ramp(1e9 / line_rate_hz if line_rate_hz else 0.0)
        self._encoder = _Ramp(0.0)

    def loss(self, loss: Loss) -> Loss:
        """A recorded loss as it is given in this pass."""
        self._note(loss.first_line, loss.count)
        return replace(loss, first_line=loss.first_line + self.lines)

    def block(self, block: LineBlock) -> LineBlock:
        """A recorded block as it is given in this pass; the host has it now."""
        self._note(block.first_line, block.valid_rows)
        device, encoder = block.device_time_ns, block.encoder
        if device is not None:
            self._device.note(block.first_line, device)
            device += self._device.shift
        if encoder is not None and len(encoder):
            self._encoder.note(block.first_line, int(encoder[0]))
            self._encoder.note(block.first_line + len(encoder) - 1, int(encoder[-1]))
            encoder = encoder + self._encoder.shift
        return replace(
            block,
            first_line=block.first_line + self.lines,
            host_time_ns=time.time_ns(),
            device_time_ns=device,
            encoder=encoder,
        )

    def begin_again(self) -> None:
        """The pass is over; what comes now is the next one."""
        span = self._end - (self._first or 0)
        self.lines += span
        for ramp in (self._device, self._encoder):
            ramp.advance(span)

    def _note(self, first_line: int, count: int) -> None:
        self._first = first_line if self._first is None else self._first
        self._end = first_line + count


class _Ramp:
    """A value that changes about evenly from line to line; ``slope`` where one line is all."""

    def __init__(self, slope: float) -> None:
        self.shift = 0
        self._slope = slope
        self._first: tuple[int, int] | None = None
        self._last = (0, 0)

    def note(self, line: int, value: int) -> None:
        self._first = (line, value) if self._first is None else self._first
        self._last = (line, value)

    def advance(self, span: int) -> None:
        """Add what the value changes over a pass of so many lines."""
        if self._first is not None and self._last[0] > self._first[0]:
            lines, change = (b - a for a, b in zip(self._first, self._last, strict=True))
            self.shift += round(change * span / lines)
        else:
            self.shift += round(self._slope * span)
