"""The camera's own process: open, poll, copy, hand over; ends with its parent."""

from __future__ import annotations

import logging
import signal
import time
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Semaphore
from types import FrameType
from typing import Any

import numpy as np
import numpy.typing as npt

from linescan.config import GenicamSource
from linescan.errors import SourceError
from linescan.records import Cause, Loss
from linescan.sources.genicam.device import CameraDevice
from linescan.sources.genicam.features import one_line
from linescan.sources.genicam.messages import Delivered, Ended, Failed, Start
from linescan.sources.genicam.numbering import FrameNumbers, PendingLosses, explain_gap
from linescan.sources.genicam.ring import Ring

POLL_S = 0.0003
"""Pause between polls that found nothing; Python's interpreter lock is free meanwhile."""
PRESENCE_S = 1.0
"""How often a silent camera is asked whether it is still there."""


def main(section: GenicamSource, parent: Connection, free: Semaphore) -> None:
    """Run the camera until told to stop.

    Args:
        section: the camera and its settings.
        parent: where to send what ``messages`` describes, and where orders come from.
        free: counts the ring's free slots.
    """
    logging.getLogger("harvesters").setLevel(logging.CRITICAL)
    stopping = _Orders(parent)
    try:
        device = CameraDevice(section)
    except SourceError as error:
        _send(parent, Failed(str(error)))
        return
    except Exception as error:  # noqa: BLE001 - whatever a vendor's library raises
        _send(parent, Failed(f"{section.producer}: the camera cannot be opened: {one_line(error)}"))
        return
    # Opening a camera installs Harvesters' own handler, which would hide Ctrl-C and leave a mess.
    stopping.take_signals()
    try:
        _send(parent, device.opened)
        start = stopping.wait_for_start()
        if start is not None:
            _acquire(device, start, parent, free, stopping)
    finally:
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

    def wait_for_start(self) -> Start | None:
        """The order to start, or None to end."""
        while not self._stop:
            if self._parent.poll(0.1):
                order = self._receive()
                return order if isinstance(order, Start) else None
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
    device: CameraDevice, start: Start, parent: Connection, free: Semaphore, orders: _Orders
) -> None:
    opened = device.opened
    ring = Ring(start.slots, opened.height, opened.width, opened.dtype, name=start.ring)
    handover = _Handover(device, ring, start.slots, parent, free)
    try:
        device.start()
        heard = time.monotonic()
        while not orders.stop():
            buffer = device.fetch()
            if buffer is not None:
                heard = time.monotonic()
                try:
                    handover.take(buffer)
                finally:
                    buffer.queue()
                continue
            time.sleep(POLL_S)
            if time.monotonic() - heard > PRESENCE_S:
                heard = time.monotonic()
                if not device.present:
                    raise SourceError(f"{opened.name}: the camera is gone")
        _send(parent, Ended(handover.losses.take()))
    except SourceError as error:
        _send(parent, Failed(str(error), handover.losses.take()))
    except Exception as error:  # noqa: BLE001 - whatever a vendor's library raises
        why = f"{opened.name}: acquisition failed: {one_line(error)}"
        _send(parent, Failed(why, handover.losses.take()))
    finally:
        ring.close()


class _Handover:
    """Copies buffers into free slots, in order; counts what is missing and what has no slot."""

    def __init__(
        self, device: CameraDevice, ring: Ring, slots: int, parent: Connection, free: Semaphore
    ) -> None:
        self.losses = PendingLosses()
        self._device = device
        self._height = device.opened.height
        self._numbers = FrameNumbers(self._height)
        self._ring = ring
        self._slots = slots
        self._slot = 0
        self._parent = parent
        self._free = free
        self._incomplete = device.incomplete
        self._under_runs = device.under_runs

    def take(self, buffer: Any) -> None:
        """Hand over one buffer, or count its lines as lost."""
        now = time.time_ns()
        self._note_gap(buffer)
        first_line = self._numbers.take(1)
        pixels = _pixels(buffer, self._device.opened.width, self._device.opened.dtype)
        if pixels is None or not 1 <= len(pixels) <= self._height:
            self.losses.add(Loss(first_line, self._height, Cause.FORMAT_CHANGE))
            return
        if not self._free.acquire(block=False):
            self.losses.add(Loss(first_line, self._height, Cause.UNDER_RUN))
            return
        self._ring.slot(self._slot)[: len(pixels)] = pixels
        delivered = Delivered(
            losses=self.losses.take(),
            slot=self._slot,
            first_line=first_line,
            rows=len(pixels),
            valid_rows=min(len(pixels), _delivered_rows(buffer, len(pixels))),
            host_time_ns=now,
            device_time_ns=_timestamp(buffer),
        )
        self._slot = (self._slot + 1) % self._slots
        _send(self._parent, delivered)

    def _note_gap(self, buffer: Any) -> None:
        missing = self._numbers.missing(_optional(buffer.module, "frame_id"))
        incomplete, under_runs = self._device.incomplete, self._device.under_runs
        if missing:
            first_line = self._numbers.take(missing)
            for loss in explain_gap(
                first_line,
                self._height,
                missing,
                incomplete=incomplete - self._incomplete,
                under_run=under_runs - self._under_runs,
            ):
                self.losses.add(loss)
        self._incomplete, self._under_runs = incomplete, under_runs


def _pixels(buffer: Any, width: int, dtype: str) -> npt.NDArray[Any] | None:
    """The pixels (rows, width) of a buffer, without line padding; None where they do not fit."""
    parts = buffer.payload.components
    image = parts[0] if parts else None
    if image is None or image.width != width or image.data.dtype != np.dtype(dtype):
        return None
    rows = int(image.height)
    padding = (_optional(buffer.module, "padding_x") or 0) // np.dtype(dtype).itemsize
    for pitch in (width, width + padding):
        if rows and image.data.size == rows * pitch:
            pixels: npt.NDArray[Any] = image.data.reshape(rows, pitch)[:, :width]
            return pixels
    return None


def _delivered_rows(buffer: Any, rows: int) -> int:
    """Rows that the camera really delivered; all of them where the producer does not say."""
    return _optional(buffer.module, "delivered_image_height") or rows


def _timestamp(buffer: Any) -> int | None:
    return _optional(buffer.module, "timestamp_ns")


def _optional(module: Any, name: str) -> int | None:
    """A property that the producer need not have."""
    try:
        return int(getattr(module, name))
    except Exception:  # noqa: BLE001 - GenTL says so by an error
        return None


def _send(parent: Connection, message: object) -> None:
    try:
        parent.send(message)
    except OSError:
        return  # the parent is gone; the orders will say so
