"""The child's eye on itself and its camera: sign of life, stalls, presence, memory."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from linescan.config.genicam import Supervision
from linescan.errors import SourceError
from linescan.sources.genicam.device import CameraDevice
from linescan.sources.genicam.ring import Ring

LOOK_S = 1.0
"""How often the camera and the memory are looked at."""
STALL_BLOCKS, LEAST_STALL_S = 8, 2.0
_STATUS = Path("/proc/self/status")


class Watch:
    """Raises a ``SourceError`` where acquisition has to begin anew.

    Args:
        device: the camera.
        ring: carries the sign of life to the parent.
        limits: when what is a failure.
    """

    def __init__(self, device: CameraDevice, ring: Ring, limits: Supervision) -> None:
        self._device = device
        self._ring = ring
        self._limits = limits
        self._name = device.opened.name
        self._stall_s = limits.stall_s or _stall_s(device)
        self._heard = self._looked = self._weighed = time.monotonic()
        self._position: int | None = None
        self._memory: int | None = None

    def begin(self) -> None:
        """Acquisition has started."""
        self._heard = self._looked = time.monotonic()
        self._memory = own_memory()
        self.alive()

    def alive(self) -> None:
        """Another turn of the loop: put off the kernel's alarm."""
        self._ring.beat()
        # Twice the parent's patience: it kills first, and says why; the alarm is for orphans.
        signal.setitimer(signal.ITIMER_REAL, 2 * self._limits.hang_s)

    def block(self) -> None:
        """A block came."""
        self._heard = time.monotonic()
        self._position = None

    def silent(self, *, waiting: bool) -> None:
        """No block came: is the camera still there, and is it silent for a reason?

        Raises:
            SourceError: it is gone, or it stalled.
        """
        now = time.monotonic()
        if waiting:
            self._heard = now
        if now - max(self._heard, self._looked) < min(LOOK_S, self._stall_s or LOOK_S):
            return
        self._looked = now
        if not self._device.present:
            raise SourceError(f"{self._name}: the camera is gone")
        if self._stall_s is not None and self._moves() and now - self._heard > self._stall_s:
            raise SourceError(f"{self._name}: no lines for {self._stall_s:g} s while lines are due")

    def grown(self) -> str | None:
        """Why the process should be replaced, once its memory has grown past the budget."""
        now = time.monotonic()
        if now - self._weighed < LOOK_S or self._memory is None:
            return None
        self._weighed = now
        grown = (own_memory() - self._memory) / 2**20
        if grown <= self._limits.memory_mb:
            return None
        return f"its memory grew by {grown:.0f} MiB"

    def _moves(self) -> bool:
        """Whether lines are due: in free run always, with a trigger if the encoder moved lately."""
        if self._limits.stall_s is not None and self._device.opened.triggered is None:
            return True
        if self._device.opened.triggered is False:
            return True
        before, self._position = self._position, self._device.encoder
        return before is not None and self._position is not None and before != self._position


def _stall_s(device: CameraDevice) -> float | None:
    """Patience with a silent camera; None where it is not known whether lines are due."""
    opened = device.opened
    if opened.triggered is None or not opened.line_rate_hz:
        return None
    return max(LEAST_STALL_S, STALL_BLOCKS * opened.height / opened.line_rate_hz)


def own_memory() -> int:
    """Bytes of this process's own resident memory, without what it shares."""
    try:
        for line in _STATUS.read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    except OSError:
        return 0
    return 0
