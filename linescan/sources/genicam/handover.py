"""From the producer's buffers to the ring: one copy, and the evidence beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from linescan.sources.genicam.device import CameraDevice
from linescan.sources.genicam.messages import Block, Handed
from linescan.sources.genicam.payload import copy_rows, find_image, layout_of, rows_of
from linescan.sources.genicam.ring import Ring


class Handover:
    """Takes blocks one by one and tells the parent of each, whatever became of it.

    Args:
        device: the camera, acquiring.
        ring: where blocks go.
        overflow: what a block does that finds the ring full: ``drop`` or ``wait``.
        send: gives a message to the parent.
    """

    def __init__(
        self,
        device: CameraDevice,
        ring: Ring,
        overflow: Literal["drop", "wait"],
        send: Callable[[Block], None],
    ) -> None:
        self._device = device
        self._ring = ring
        self._layout = layout_of(device.opened.pixel_format)
        self._drop = overflow == "drop"
        self._send = send
        self._incomplete = device.incomplete
        self._slot: int | None = None
        self._fresh = False

    @property
    def waits(self) -> bool:
        """Whether blocks are left with the producer because the ring is full."""
        return not self._drop and self._slot is None

    def turn(self) -> bool:
        """Take a block, if there is one (and room, where blocks wait for it)."""
        if self._slot is None:
            self._slot = self._ring.take()
            if self._slot is None and not self._drop:
                self._fresh = False
                return False
        buffer = self._device.fetch()
        while self._incomplete < self._device.incomplete:
            self._incomplete += 1
            self._send(Block(Handed.INCOMPLETE, None))
        if buffer is None:
            self._fresh = True
            return False
        try:
            block = self._take(buffer)
        finally:
            self._device.queue(buffer)
        self._send(block)
        self._fresh = False
        return True

    def _take(self, buffer: Any) -> Block:
        device, opened, ring = self._device, self._device.opened, self._ring
        image = find_image(buffer, self._layout, opened.width, ring.height)
        rows = min(rows_of(buffer, opened.height), ring.height) if image is None else image.rows
        seen = device.chunks.evidence(buffer, rows, fresh=self._fresh, under_runs=device.under_runs)
        if image is None:
            return Block(Handed.BAD, seen)
        if self._slot is None:
            return Block(Handed.NO_SLOT, seen)
        slot, self._slot = self._slot, None
        copy_rows(image, self._layout, opened.width, ring.slot(slot))
        return Block(Handed.WHOLE, seen, slot, device.chunks.encoder(image.memory, seen.rows))
