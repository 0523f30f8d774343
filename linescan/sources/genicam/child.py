"""The camera's own process: open, poll, copy, hand over; ends with its parent, or by the clock."""

from __future__ import annotations

import logging
import select
import signal
import time
from collections.abc import Callable
from multiprocessing import reduction
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any

from linescan.config import GenicamSource
from linescan.errors import SourceError
from linescan.sources.genicam.device import CameraDevice
from linescan.sources.genicam.features import one_line
from linescan.sources.genicam.handover import Handover
from linescan.sources.genicam.messages import Ended, Failed, Start
from linescan.sources.genicam.ring import Ring
from linescan.sources.genicam.watch import Watch

POLL_S = 0.0003
"""Pause between polls that found nothing; Python's interpreter lock is free meanwhile."""
WAIT_MS = 100
"""Time between signs of life while the parent does not listen."""
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
"""As the pipeline's own log has it."""
OPEN_S = 120
"""Time for a camera to open, or to close, before the kernel ends the process."""


def main(section: GenicamSource, parent: Connection) -> None:
    """Run the camera until told to stop.

    A vendor's call that never returns holds Python's interpreter lock, so nothing in this process
    can see it. The kernel's alarm does: it is put off by each turn of the loop.

    Args:
        section: the camera and its settings.
        parent: where to send what ``messages`` describes, and where orders come from.
    """
    logging.basicConfig(format=LOG_FORMAT)
    logging.getLogger("harvesters").setLevel(logging.CRITICAL)
    signal.alarm(OPEN_S)
    orders = _Orders(parent)
    orders.take_signals()
    try:
        device = CameraDevice(section)
    except SourceError as error:
        _send(parent, Failed(str(error)))
        return
    except Exception as error:  # noqa: BLE001 - whatever a vendor's library raises
        _send(parent, Failed(f"{section.producer}: the camera cannot be opened: {one_line(error)}"))
        return
    # Opening a camera has installed Harvesters' own handler, which would leave a mess at Ctrl-C.
    orders.take_signals()
    try:
        _send(parent, device.opened)
        ring = orders.wait_for_ring(device)
        if ring is not None:
            _acquire(device, ring, section, parent, orders)
    finally:
        signal.alarm(OPEN_S)
        device.close()


class _Orders:
    """What the parent wants: start, or stop (also when it is gone)."""

    def __init__(self, parent: Connection) -> None:
        self._parent = parent
        self._stop = False

    def take_signals(self) -> None:
        """Ctrl-C is the parent's to handle; SIGTERM stops the camera in the safe order."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)

        def stop(_: int, __: FrameType | None) -> None:
            self._stop = True

        signal.signal(signal.SIGTERM, stop)

    def wait_for_ring(self, device: CameraDevice) -> Ring | None:
        """The ring to fill, or None to end."""
        opened = device.opened
        while not self._stop:
            signal.alarm(OPEN_S)
            if not self._parent.poll(0.1):
                continue
            order = self._receive()
            if not isinstance(order, Start):
                return None
            fd = reduction.recv_handle(self._parent)
            return Ring(order.slots, order.height, opened.width, opened.dtype, fd=fd)
        return None

    def stop(self) -> bool:
        """Whether to stop now."""
        if not self._stop and self._parent.poll():
            self._receive()
            self._stop = True
        return self._stop

    def _receive(self) -> Any:
        try:
            return self._parent.recv()
        except (EOFError, OSError):
            self._stop = True
            return None


def _acquire(
    device: CameraDevice, ring: Ring, section: GenicamSource, parent: Connection, orders: _Orders
) -> None:
    limits = section.supervision
    watch = Watch(device, ring, limits)
    handover = Handover(
        device, ring, section.ring_overflow, lambda m: _send_alive(parent, m, watch.alive)
    )
    try:
        signal.alarm(OPEN_S)
        device.start()
        watch.begin()
        while not orders.stop():
            watch.alive()
            grown = watch.grown()
            if grown is not None:
                _send(parent, Ended(recycle=grown))
                return
            if handover.turn():
                watch.block()
            else:
                time.sleep(POLL_S)
                watch.silent(waiting=handover.waits)
        _send(parent, Ended())
    except SourceError as error:
        _send(parent, Failed(str(error)))
    except Exception as error:  # noqa: BLE001 - whatever a vendor's library raises
        _send(parent, Failed(f"{device.opened.name}: acquisition failed: {one_line(error)}"))
    finally:
        ring.close()


def _send_alive(parent: Connection, message: object, alive: Callable[[], None]) -> None:
    """Send, with signs of life while the parent is too busy to listen: that is no failure."""
    pipe = select.poll()
    pipe.register(parent.fileno(), select.POLLOUT)
    while not pipe.poll(WAIT_MS):
        alive()
    _send(parent, message)


def _send(parent: Connection, message: object) -> None:
    try:
        parent.send(message)
    except OSError:
        return  # the parent is gone; the orders will say so
