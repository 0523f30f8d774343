"""A ring of shared memory: the child writes blocks, the parent copies them out."""

from __future__ import annotations

import contextlib
import shutil
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from linescan.errors import SourceError

RING_BYTES = 256 * 2**20
"""Memory of the ring, at most."""
MIN_SLOTS, MAX_SLOTS = 2, 64
"""Blocks that wait in the ring. Their messages fit the pipe, so that the child never waits."""
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where Linux keeps shared memory


def slots_for(block_bytes: int) -> int:
    """How many blocks the ring holds.

    Raises:
        SourceError: this machine has too little shared memory for any.
    """
    free = RING_BYTES
    if SHARED_MEMORY.is_dir():
        # Using more than there is would end the process without a word; containers have 64 MB.
        free = min(free, shutil.disk_usage(SHARED_MEMORY).free // 2)
    slots = min(MAX_SLOTS, free // block_bytes)
    if slots < MIN_SLOTS:
        raise SourceError(
            f"a ring of {MIN_SLOTS} blocks of {block_bytes / 1e6:.1f} MB does not fit the "
            f"{free / 1e6:.1f} MB of shared memory it may use; set fewer 'block_lines', or give "
            "the machine or container more shared memory"
        )
    return slots


class Ring:
    """Slots of (height, width) pixels; made by the parent, joined by the child under its name."""

    def __init__(
        self, slots: int, height: int, width: int, dtype: str, *, name: str | None = None
    ) -> None:
        size = slots * height * width * np.dtype(dtype).itemsize
        self._memory = SharedMemory(name=name, create=name is None, size=size)
        self._owner = name is None
        self.slots = slots
        self._blocks: npt.NDArray[Any] | None = np.ndarray(
            (slots, height, width), dtype, buffer=self._memory.buf
        )

    @property
    def name(self) -> str:
        """Name under which the child joins."""
        return self._memory.name

    def slot(self, index: int) -> npt.NDArray[Any]:
        """The pixels (height, width) of a slot, in place."""
        if self._blocks is None:
            raise ValueError("the ring is closed")
        block: npt.NDArray[Any] = self._blocks[index]
        return block

    def close(self) -> None:
        """Let go of the memory; the parent's call removes it."""
        if self._blocks is None:
            return
        self._blocks = None
        with contextlib.suppress(BufferError):  # a thread still copies; the exit will release it
            self._memory.close()
        if self._owner:
            self._memory.unlink()
