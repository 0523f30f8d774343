"""The parent's side of a camera: starts its process, takes its blocks, ends it for sure."""

from __future__ import annotations

import logging
import multiprocessing
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from typing import Any

import numpy as np

from linescan.config import GenicamSource
from linescan.errors import SourceError, install_hint
from linescan.records import Interval, LineBlock, Loss
from linescan.sources.base import SourceInfo
from linescan.sources.genicam.messages import Delivered, Ended, Failed, Opened, Start, Stop
from linescan.sources.genicam.ring import Ring, slots_for

OPEN_S = 60.0
"""Time for a camera to open; some take half a minute after a reset."""
END_S = 5.0
"""Time for the camera's process to end before it is killed."""
_LOOK_S = 0.1

_log = logging.getLogger(__name__)


class GenicamCamera:
    """A camera, acquired in a process of its own; one process for the life of this object."""

    def __init__(self, section: GenicamSource) -> None:
        self._section = section
        self._stopped = threading.Event()
        self._process: BaseProcess | None = None
        self._child: connection.Connection | None = None
        self._free: Any = None
        self._ring: Ring | None = None
        self._opened: Opened | None = None
        self._captured: Callable[[Iterable[Interval]], None] = lambda _: None

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
        )

    def open(self, captured: Callable[[Iterable[Interval]], None]) -> None:
        """Start the camera's process; it opens and configures the camera.

        Raises:
            SourceError: the producer or the camera cannot be had, or does not take a setting.
        """
        if not self._section.producer.is_file():
            raise SourceError(f"{self._section.producer}: no such GenTL producer (.cti) file")
        _check_harvesters()
        self._captured = captured
        try:
            self._launch()
            self._opened = self._wait_until_open()
            self._make_ring(self._opened)
        except BaseException:
            self.close()
            raise

    def items(self) -> Iterator[LineBlock | Loss]:
        """Blocks and losses in order, from now until ``stop``; see ``Source.items``.

        Raises:
            SourceError: the camera or its process is lost.
        """
        self._is_open()
        ring = self._ring
        if ring is None:
            return
        self._send(Start(ring.name, ring.slots))
        while not self._stopped.is_set():
            message = self._receive(_LOOK_S)
            if message is None:
                continue
            yield from self._losses(message)
            if isinstance(message, Ended):
                return
            if isinstance(message, Failed):
                raise SourceError(message.why)
            if isinstance(message, Delivered):
                self._captured([Interval(message.first_line, message.valid_rows)])
                yield self._take(message, ring)

    def stop(self) -> None:
        """End ``items`` soon."""
        self._stopped.set()

    def close(self) -> None:
        """End the camera's process, if need be by force, and release its memory."""
        self._stopped.set()
        if self._process is not None:
            self._send(Stop())
            self._process.join(END_S)
            if self._process.is_alive():
                self._process.kill()
                self._process.join()
            self._process.close()
            self._process = None
        if self._child is not None:
            self._child.close()
            self._child = None
        if self._ring is not None:
            self._ring.close()
            self._ring = None

    def _launch(self) -> None:
        from linescan.sources.genicam import child

        # Spawned, not forked: a vendor's library must not inherit our threads and sockets.
        spawn = multiprocessing.get_context("spawn")
        self._free = spawn.Semaphore(0)
        self._child, theirs = spawn.Pipe()
        self._process = spawn.Process(
            target=child.main,
            args=(self._section, theirs, self._free),
            name="linescan-camera",
            daemon=True,
        )
        self._process.start()
        theirs.close()

    def _make_ring(self, opened: Opened) -> None:
        slots = slots_for(opened.height * opened.width * np.dtype(opened.dtype).itemsize)
        self._ring = Ring(slots, opened.height, opened.width, opened.dtype)
        for _ in range(slots):
            self._free.release()

    def _wait_until_open(self) -> Opened:
        deadline = time.monotonic() + OPEN_S
        while time.monotonic() < deadline:
            message = self._receive(_LOOK_S)
            if isinstance(message, Opened):
                for note in message.notes:
                    _log.warning("%s", note)
                return message
            if isinstance(message, Failed):
                raise SourceError(message.why)
            if self._stopped.is_set():
                raise SourceError("stopped while the camera was opened")
        raise SourceError(
            f"{self._section.producer}: the camera did not open within {OPEN_S:g} s; is it "
            "switched on and free?"
        )

    def _receive(self, timeout_s: float) -> Any | None:
        """The next message of the child, or None if none came in time.

        Raises:
            SourceError: the child is gone.
        """
        if self._child is None or self._process is None:
            raise SourceError("the camera is closed")
        try:
            connection.wait([self._child, self._process.sentinel], timeout_s)
            if self._child.poll():
                return self._child.recv()
        except (EOFError, OSError):
            self._process.join(END_S)
        if self._stopped.is_set() or self._process.is_alive():
            return None
        raise SourceError(f"the camera's process ended unexpectedly ({self._exit()})")

    def _exit(self) -> str:
        code = self._process.exitcode if self._process is not None else None
        if code is not None and code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"exit code {code}"

    def _losses(self, message: Any) -> Iterator[Loss]:
        for loss in getattr(message, "losses", ()):
            self._captured(loss.lines())
            yield loss

    def _take(self, message: Delivered, ring: Ring) -> LineBlock:
        """Copy a block out of the ring and free its slot."""
        pixels = ring.slot(message.slot)[: message.rows].copy()
        self._free.release()
        return LineBlock(
            pixels,
            message.first_line,
            message.valid_rows,
            message.host_time_ns,
            message.device_time_ns,
        )

    def _send(self, message: object) -> None:
        try:
            if self._child is not None:
                self._child.send(message)
        except OSError:
            return  # the child is gone; _receive says so

    def _is_open(self) -> Opened:
        if self._opened is None:
            raise SourceError(f"{self._section.producer}: the camera is not open")
        return self._opened


def _check_harvesters() -> None:
    from importlib.util import find_spec

    if find_spec("harvesters") is None:
        raise SourceError(f"harvesters is not installed; {install_hint('cpu')}")
