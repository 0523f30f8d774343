"""Two clocks: how fast lines can come, and the camera's time on the host's clock."""

from __future__ import annotations

from collections import deque

WINDOW_NS = 30_000_000_000
"""Drift of two quartz clocks within it is below 3 ms, at 100 ppm."""
TOLERANCE = 1.25
"""How much faster than known lines may come before a counter is not believed."""
SPAN_NS = 500_000_000
"""Least time over which a rate is measured."""
MARKS = 6
"""Points in time, ``SPAN_NS`` apart, from which it is reckoned how far lines can have come: of a
block that a busy machine handed over late, the time says too little."""
SLACK_BLOCKS = 16


class LinePace:
    """The most lines that can have come by now.

    Args:
        declared_hz: the camera's own line rate, if it tells one.
        height: nominal lines of a block.
    """

    def __init__(self, declared_hz: float | None, height: int) -> None:
        self._declared = declared_hz
        self._height = height
        self._seen: float | None = None
        self._peak = 0.0
        self._last: tuple[int, int] | None = None
        self._marks: deque[tuple[int, int]] = deque(maxlen=MARKS)
        self._broken = True

    @property
    def rate_hz(self) -> float | None:
        """Lines per second: as seen, or as declared."""
        return self._seen or self._declared

    def most_by(self, at_ns: int) -> float | None:
        """The line before which the end of a block that was fetched at this time must lie.

        None where nothing is known yet.
        """
        fastest = TOLERANCE * max(self._declared or 0.0, self._peak) / 1e9
        if not self._marks or not fastest:
            return None
        reached = max(line + fastest * max(0, at_ns - at) for line, at in self._marks)
        return reached + SLACK_BLOCKS * self._height

    def note(self, end_line: int, at_ns: int, *, fresh: bool) -> None:
        """A block ended with this line; only one that had not waited tells the time."""
        last, self._last = self._last, (end_line, at_ns) if fresh else None
        if not fresh:
            return
        if last is not None and at_ns > last[1] and not self._broken:
            self._peak = max(self._peak, (end_line - last[0]) * 1e9 / (at_ns - last[1]))
        if not self._marks or self._broken:
            self._marks.append((end_line, at_ns))
        elif at_ns - self._marks[-1][1] >= SPAN_NS:
            line, at = self._marks[-1]
            self._seen = (end_line - line) * 1e9 / (at_ns - at)
            self._marks.append((end_line, at_ns))
        self._broken = False

    def break_off(self) -> None:
        """Time passes without lines that are counted: do not measure over it."""
        self._broken = True


class HostClock:
    """Maps the camera's time stamps to the host's time since the epoch.

    A block arrives after its time stamp, never before, so the least difference of the two clocks in
    the last half minute is the best estimate of their offset; it errs by the shortest delay.
    """

    def __init__(self) -> None:
        self._last: int | None = None
        self.restart()

    def restart(self) -> None:
        """Forget: another stream may have another clock."""
        self._began: int | None = None
        self._least: list[int | None] = [None, None]

    def to_host(self, device_ns: int, host_ns: int) -> int:
        """The host's time, ns since the epoch, of a camera's time stamp.

        Args:
            device_ns: the time stamp.
            host_ns: when the block that carries it had arrived.
        """
        if self._last is not None and device_ns < self._last:
            self.restart()
        self._last = device_ns
        if self._began is None or host_ns - self._began > WINDOW_NS or host_ns < self._began:
            self._began = host_ns
            self._least = [None, self._least[0]]
        offset = host_ns - device_ns
        newest, before = self._least
        newest = offset if newest is None else min(newest, offset)
        self._least[0] = newest
        return device_ns + (newest if before is None else min(newest, before))
