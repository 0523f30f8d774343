"""The parent's side of a camera: its lines in order, whatever befalls the process behind them."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from linescan.config import GenicamSource
from linescan.errors import SourceError, install_hint
from linescan.records import Interval, LineBlock, Loss
from linescan.sources.base import SourceInfo
from linescan.sources.genicam.clock import HostClock
from linescan.sources.genicam.device import check_producer
from linescan.sources.genicam.messages import Block, Ended, Failed, Handed, Opened
from linescan.sources.genicam.numbering import LineNumbers, Placed
from linescan.sources.genicam.process import CameraProcess
from linescan.sources.genicam.ring import Ring, slots_for

_LOOK_S = 0.1
JITTER = 0.25
"""Part of a pause that is left to chance, so that cameras on one switch do not retry in step."""
REMIND_S = 600.0
"""The same failure, again and again, is logged once in so long."""
_KEYS = {"width": "width", "height": "block_lines", "pixel_format": "pixel_format"}
"""What a camera must come back with, and its key in the configuration."""

_log = logging.getLogger(__name__)


class GenicamCamera:
    """A camera, acquired in a process of its own, which is replaced as often as need be."""

    def __init__(self, section: GenicamSource) -> None:
        self._section = section
        self._stopped = threading.Event()
        self._process: CameraProcess | None = None
        self._ring: Ring | None = None
        self._opened: Opened | None = None
        self._numbers: LineNumbers | None = None
        self._clock = HostClock()
        self._captured: Callable[[Iterable[Interval]], None] = lambda _: None
        self._failures = 0
        self._failed_at = 0.0
        self._logged: tuple[str, float] | None = None

    @property
    def description(self) -> SourceInfo:
        """What is known of the camera; only once it is open."""
        opened, pitch = self._is_open(), self._section.pitch
        return SourceInfo(
            name=opened.name,
            width=opened.width,
            dtype=opened.dtype,
            bits=opened.bits,
            line_rate_hz=opened.line_rate_hz,
            across_mm=pitch.across_mm,
            along_mm=pitch.along_mm,
            encoder=opened.encoder,
        )

    @property
    def pid(self) -> int | None:
        """Number of the camera's process, while there is one."""
        return None if self._process is None else self._process.pid

    def open(self, captured: Callable[[Iterable[Interval]], None]) -> None:
        """Start the camera's process; it opens and configures the camera.

        Raises:
            SourceError: the producer or the camera cannot be had, or does not take a setting.
        """
        check_producer(self._section.producer)
        _check_harvesters()
        self._captured = captured
        try:
            opened = self._launch()
            self._accept(opened)
            size = opened.height * opened.width * np.dtype(opened.dtype).itemsize
            slots = slots_for(size, self._section.ring_blocks)
            self._ring = Ring(slots, opened.height, opened.width, opened.dtype)
            self._numbers = LineNumbers(
                opened.height,
                opened.line_rate_hz,
                triggered=bool(opened.triggered),
                best=self._section.numbering,
            )
        except BaseException:
            self.close()
            raise

    def items(self) -> Iterator[LineBlock | Loss]:
        """Blocks and losses in order, from now until ``stop``; see ``Source.items``.

        Raises:
            SourceError: the camera is lost, and was not to be had again within the attempts that
                the configuration allows.
        """
        self._is_open()
        while not self._stopped.is_set():
            try:
                yield from self._stream()
            except SourceError as error:
                self._end_process()
                if self._stopped.is_set():
                    break
                self._pause_or_give_up(error)
        if self._numbers is not None:
            for loss in self._numbers.finish():
                self._captured(loss.lines())
                yield loss

    def stop(self) -> None:
        """End ``items`` soon."""
        self._stopped.set()

    def close(self) -> None:
        """End the camera's process, if need be by force, and release its memory."""
        self._stopped.set()
        self._end_process()
        if self._ring is not None:
            self._ring.close()
            self._ring = None

    def _launch(self) -> Opened:
        """A new process with the camera open.

        Raises:
            SourceError: the camera cannot be had.
        """
        self._process = CameraProcess(self._section)
        return self._process.wait_until_open(self._stopped.is_set)

    def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.end()
            if self._ring is not None:
                self._ring.reclaim()

    def _stream(self) -> Iterator[LineBlock | Loss]:
        """What one process gives; ends with the process, or when asked to stop.

        Raises:
            SourceError: it failed.
        """
        ring, numbers = self._ring, self._numbers
        if ring is None or numbers is None:
            return
        if self._process is None:
            opened = self._launch()
            self._check_same(opened)
            self._accept(opened)
            numbers.reconnect()
            self._clock.restart()
        process = self._process
        if process is None:
            return
        process.start(ring)
        while not self._stopped.is_set():
            message = process.receive(_LOOK_S)
            if isinstance(message, Block):
                yield from self._items_of(message, numbers.place(message), ring)
            elif isinstance(message, Failed):
                raise SourceError(message.why)
            elif isinstance(message, Ended):
                why = message.recycle or "it was asked to end"
                _log.warning("the camera's process is replaced: %s", why)
                self._end_process()
                return

    def _items_of(
        self, message: Block, placed: Placed | None, ring: Ring
    ) -> Iterator[LineBlock | Loss]:
        if placed is None:
            return
        for loss in placed.losses:
            self._captured(loss.lines())
            yield loss
        seen = message.evidence
        if message.handed is not Handed.WHOLE or message.slot is None or seen is None:
            return
        self._note_success()
        pixels = ring.lend(message.slot, seen.rows)
        self._captured([Interval(placed.first_line, seen.rows)])
        device_ns, exposed = seen.device_ns, None
        if device_ns is not None:
            exposed = self._clock.to_host(device_ns, seen.host_ns)
        yield LineBlock(
            pixels,
            placed.first_line,
            seen.rows,
            seen.host_ns,
            device_ns,
            encoder=message.encoder,
            flags=placed.flags,
            encoder_ends=seen.ticks if seen.both_ends else None,
            exposed_ns=exposed,
        )

    def _pause_or_give_up(self, error: SourceError) -> None:
        """Wait before the next attempt, longer each time.

        Raises:
            SourceError: that was the last one.
        """
        limits, now = self._section.supervision, time.monotonic()
        self._failures += 1
        if self._failures == 1:
            self._failed_at = now
        if limits.attempts is not None and self._failures > limits.attempts:
            raise error
        pause = limits.first_retry_s * 2.0 ** min(self._failures - 1, 30)
        pause = min(pause, limits.longest_retry_s) * random.uniform(1 - JITTER, 1 + JITTER)
        self._log_failure(str(error), pause, now)
        end = now + pause
        while time.monotonic() < end and not self._stopped.wait(min(_LOOK_S, pause)):
            pass

    def _log_failure(self, why: str, pause: float, now: float) -> None:
        """Warn of a failure when it is a new one, and now and then while it stays the same."""
        last = self._logged
        known = last is not None and last[0] == why and now - last[1] < REMIND_S
        if not known:
            self._logged = why, now
        level = logging.DEBUG if known else logging.WARNING
        _log.log(level, "%s; trying again in %.1f s (attempt %d)", why, pause, self._failures)

    def _note_success(self) -> None:
        """A block came: the next failure is a first one."""
        if self._failures:
            away, attempts = time.monotonic() - self._failed_at, self._failures
            _log.warning("the camera is back after %.1f s (attempt %d)", away, attempts)
        self._failures, self._logged = 0, None

    def _check_same(self, opened: Opened) -> None:
        """Refuse a camera that came back otherwise: the stages behind are set up for its lines.

        Raises:
            SourceError: width, height or pixels are not what they were.
        """
        before = self._is_open()
        other = [k for k in _KEYS if getattr(before, k) != getattr(opened, k)]
        if other:
            changes = ", ".join(
                f"{key} {getattr(opened, key)} instead of {getattr(before, key)}" for key in other
            )
            keys = ", ".join(f"'source.{_KEYS[key]}'" for key in other)
            raise SourceError(
                f"{opened.name}: the camera came back with {changes}; set it back, or start the "
                f"run again; values given for {keys} are set at each connection"
            )

    def _accept(self, opened: Opened) -> None:
        """This camera is acquired from; say what it has otherwise than it was asked."""
        self._opened = opened
        for note in opened.notes:
            _log.warning("%s", note)

    def _is_open(self) -> Opened:
        if self._opened is None:
            raise SourceError(f"{self._section.producer}: the camera is not open")
        return self._opened


def _check_harvesters() -> None:
    from importlib.util import find_spec

    if find_spec("harvesters") is None:
        raise SourceError(f"harvesters is not installed; {install_hint('cpu')}")
