"""A ring of shared memory: the camera's process writes blocks, the pipeline reads them in place.

The memory has no name: it is an open file of the kernel's (memfd) that only the two processes hold,
so it is gone with them however they die. Its first page holds one byte a slot (free or taken) and
the child's sign of life.
"""

from __future__ import annotations

import mmap
import os
import time
import weakref
from typing import Any

import numpy as np
import numpy.typing as npt

from linescan.errors import SourceError

RING_BYTES = 2**30
"""Memory of the ring, at most."""
MIN_SLOTS = 2
_PAGE = mmap.PAGESIZE
_BEAT = 1024
"""Where in the first page the sign of life stands, after the slots' bytes."""
_FREE, _TAKEN = 0, 1


def slots_for(block_bytes: int, wanted: int) -> int:
    """How many blocks the ring holds.

    Raises:
        SourceError: the blocks are too large for a ring.
    """
    slots = min(wanted, RING_BYTES // block_bytes)
    if slots < MIN_SLOTS:
        raise SourceError(
            f"a ring of {MIN_SLOTS} blocks of {block_bytes / 1e6:.1f} MB takes more than "
            f"{RING_BYTES / 1e6:.0f} MB; set fewer 'source.block_lines'"
        )
    return slots


class Ring:
    """Slots of (height, width) pixels; made by the parent, joined by the child by its descriptor.

    Args:
        slots: number of blocks.
        height: most rows of a block.
        width: pixels of a row.
        dtype: uint8 or uint16.
        fd: descriptor of the memory to join; it is this object's from now on.
    """

    def __init__(
        self, slots: int, height: int, width: int, dtype: str, *, fd: int | None = None
    ) -> None:
        if not 1 <= slots <= _BEAT:
            raise ValueError(f"a ring has 1 to {_BEAT} slots, not {slots}")
        self.slots, self.height, self.width = slots, height, width
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self._stride = -(-height * width * self.dtype.itemsize // _PAGE) * _PAGE
        size = _PAGE + slots * self._stride
        self._fd = os.memfd_create("linescan-ring") if fd is None else fd
        try:
            if fd is None:
                os.truncate(self._fd, size)
            self._memory: mmap.mmap | None = mmap.mmap(self._fd, size)
        except OSError as error:
            os.close(self._fd)
            raise SourceError(f"no {size / 1e6:.0f} MB of shared memory: {error}") from error
        self._pulse = np.frombuffer(self._memory, np.int64, 1, _BEAT)
        self._lent: set[int] = set()

    def fileno(self) -> int:
        """The descriptor to hand to the child."""
        return self._fd

    def beat(self, ahead_s: float = 0.0) -> None:
        """A sign of life; the parent gives one ``ahead`` for the time until the child's first."""
        self._pulse[0] = time.monotonic_ns() + round(ahead_s * 1e9)

    @property
    def silence_s(self) -> float:
        """Parent: seconds since the last sign of life."""
        return (time.monotonic_ns() - int(self._pulse[0])) / 1e9

    def take(self) -> int | None:
        """Child: a free slot, now taken; None if there is none."""
        memory = self._open()
        slot = memory.find(b"\0", 0, self.slots)
        if slot < 0:
            return None
        memory[slot] = _TAKEN
        return slot

    def free(self, slot: int) -> None:
        """Parent: a slot may be filled again. Safe from any thread."""
        self._lent.discard(slot)
        if self._memory is not None:
            self._memory[slot] = _FREE

    def reclaim(self) -> None:
        """Parent: free what a child that is dead took and never handed over."""
        memory = self._open()
        for slot in range(self.slots):
            if slot not in self._lent:
                memory[slot] = _FREE

    @property
    def free_slots(self) -> int:
        """Slots that can be filled."""
        memory = self._open()
        return sum(memory[slot] == _FREE for slot in range(self.slots))

    def slot(self, index: int) -> npt.NDArray[Any]:
        """The pixels (height, width) of a slot, in place."""
        at = _PAGE + index * self._stride
        flat = np.frombuffer(self._open(), self.dtype, self.height * self.width, at)
        return flat.reshape(self.height, self.width)

    def lend(self, index: int, rows: int) -> npt.NDArray[Any]:
        """The first rows of a slot, which is freed when nobody holds them any more."""
        at = _PAGE + index * self._stride
        flat = np.frombuffer(self._open(), self.dtype, rows * self.width, at)
        flat.flags.writeable = False
        self._lent.add(index)
        # Every view of these pixels, however it was cut, holds `flat` as its base.
        weakref.finalize(flat, self.free, index).atexit = False
        return flat.reshape(rows, self.width)

    def close(self) -> None:
        """Let go; the memory itself goes with the last block that is still held."""
        if self._memory is not None:
            self._memory = None
            self._pulse = np.zeros(1, np.int64)
            os.close(self._fd)

    def _open(self) -> mmap.mmap:
        if self._memory is None:
            raise ValueError("the ring is closed")
        return self._memory
