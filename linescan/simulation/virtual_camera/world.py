"""A virtual camera's world: what it sees, its clock, its faults, and what it did."""

from __future__ import annotations

import ctypes
import mmap
import os
import time
from pathlib import Path
from typing import Self

import numpy as np

from linescan.errors import SourceError
from linescan.records import GrayArray
from linescan.simulation.virtual_camera import clock, layout
from linescan.simulation.virtual_camera.faults import Fault, FaultKind, FaultState
from linescan.simulation.virtual_camera.layout import WorldRecord
from linescan.simulation.virtual_camera.settings import WorldSettings, check, describe
from linescan.simulation.virtual_camera.truth import JournalEntry, JournalKind, Truth, truth_of

ENVIRONMENT = "LINESCAN_VIRTUAL_CAMERA"
"""Names the world files for the producer, one camera each, with ``:`` between them."""


class VirtualWorld:
    """One virtual camera's mapped file; it outlives the processes that open the camera."""

    def __init__(self, path: Path) -> None:
        """Map a world that is there.

        Raises:
            SourceError: the file is no world of this version.
        """
        self.path = path
        try:
            with path.open("r+b") as file:
                self._map: mmap.mmap | None = mmap.mmap(file.fileno(), 0)
        except (OSError, ValueError) as error:
            raise SourceError(f"{path}: the virtual camera's world cannot be read") from error
        if len(self._map) != ctypes.sizeof(WorldRecord):
            self._map.close()
            raise SourceError(f"{path}: no virtual camera's world of this version")
        self._record: WorldRecord | None = WorldRecord.from_buffer(self._map)

    @classmethod
    def create(
        cls,
        path: Path,
        pixels: GrayArray,
        *,
        bits: int | None = None,
        settings: WorldSettings | None = None,
        store: Path | None = None,
    ) -> VirtualWorld:
        """Make a world whose camera sees these lines, again and again.

        Args:
            path: the world file.
            pixels: (lines, width) uint8 or uint16.
            bits: bits of a value that are in use; all of them where None.
            settings: how it is; ``WorldSettings()`` where None.
            store: the pixels' file; beside the world file, with ``.lines`` added, where None.

        Raises:
            SourceError: it cannot be written.
            ValueError: a setting is out of range.
        """
        settings = settings if settings is not None else WorldSettings()
        bits = bits if bits is not None else 8 * pixels.dtype.itemsize
        check(path, pixels, bits, settings)
        store = path.with_name(path.name + ".lines") if store is None else store
        record = WorldRecord()
        describe(record, store, pixels, bits, settings)
        try:
            with store.open("wb") as file:
                np.ascontiguousarray(pixels).tofile(file)
            path.write_bytes(bytes(record))
        except OSError as error:
            raise SourceError(f"{path}: the virtual camera's world cannot be written") from error
        return cls(path)

    @property
    def record(self) -> WorldRecord:
        """The mapped structure itself."""
        if self._record is None:
            raise ValueError("the world is closed")
        return self._record

    @property
    def environment(self) -> dict[str, str]:
        """What a process that loads the producer needs in its environment."""
        return environment(self)

    @property
    def line_now(self) -> int:
        """Lines that the sensor has exposed by now."""
        return clock.lines_at(self.record, clock.now_ns())

    @property
    def blocks(self) -> int:
        """Blocks since the world began, whatever became of them."""
        return int(self.record.blocks)

    @property
    def opened(self) -> int:
        """How many times the device was opened."""
        return int(self.record.opened)

    def time_of(self, lines: int) -> int:
        """When so many lines are exposed, ns of the monotonic clock."""
        return clock.time_of(self.record, lines)

    def device_time_of(self, lines: int) -> int:
        """What the camera's own clock shows when so many lines are exposed, ns."""
        return clock.device_ns(self.record, self.time_of(lines))

    def encoder_at(self, line: int) -> int:
        """Encoder ticks at a line."""
        return clock.encoder_at(self.record, line)

    def inject(self, *faults: Fault) -> None:
        """Add faults; those placed at lines or blocks that have passed strike the next block.

        Raises:
            ValueError: there are too many, or an amount or a place is out of range.
        """
        record = self.record
        if record.faults + len(faults) > layout.MAX_FAULTS:
            raise ValueError(f"a world takes {layout.MAX_FAULTS} faults at most")
        for fault in faults:
            if fault.amount < 0 or not -(2**62) < fault.at < 2**62 or fault.amount > 2**62:
                raise ValueError(f"out of range: {fault}")
            if fault.kind is FaultKind.TRIGGER_STOP and fault.at <= self.line_now:
                raise ValueError(f"a trigger stop must lie ahead of line {self.line_now}: {fault}")
            place = record.fault[record.faults]
            place.kind, place.by_block = int(fault.kind), int(fault.by_block)
            place.at, place.amount, place.done = fault.at, fault.amount, 0
            record.faults += 1  # the producer looks no further than this

    def strike(self, kind: FaultKind, amount: int = 1) -> None:
        """A fault at the next block."""
        self.inject(Fault(kind, self.line_now, amount))

    def lose(self, seconds: float) -> None:
        """The device is gone from now on for so long, acquiring or not."""
        self.record.lost_until_ns = clock.now_ns() + round(seconds * 1e9)

    def faults(self) -> tuple[FaultState, ...]:
        """All faults and what became of them."""
        return tuple(
            FaultState(
                Fault(FaultKind(f.kind), f.at, f.amount, bool(f.by_block)),
                bool(f.done),
                f.done_line if f.done else None,
            )
            for f in self.record.fault[: self.record.faults]
        )

    def journal(self) -> tuple[JournalEntry, ...]:
        """What the camera did, oldest first: its last 65,536 deeds."""
        record = self.record
        end = int(record.entries)
        begin = max(0, end - layout.MAX_ENTRIES)
        places = (record.entry[at % layout.MAX_ENTRIES] for at in range(begin, end))
        return tuple(
            JournalEntry(
                JournalKind(e.fate), e.first, e.rows, e.block_id, bool(e.fetched), e.at_ns, e.pid
            )
            for e in places
        )

    def truth(self) -> Truth:
        """The fate of every line since the first stream.

        Raises:
            ValueError: the journal has begun to overwrite its oldest entries.
        """
        if self.record.entries > layout.MAX_ENTRIES:
            raise ValueError(
                f"the journal holds {layout.MAX_ENTRIES} blocks and {self.record.entries} were "
                "written; use larger blocks or a shorter run"
            )
        return truth_of(self.journal())

    def written(self) -> dict[JournalKind, int]:
        """Lines by what the journal says of their blocks, also where it was overwritten."""
        return {kind: int(self.record.lines_by_fate[kind]) for kind in JournalKind}

    def wait_for_blocks(self, blocks: int, timeout_s: float = 10.0) -> None:
        """Wait until the camera has made so many blocks.

        Raises:
            TimeoutError: it has not.
        """
        end = time.monotonic() + timeout_s
        while self.blocks < blocks:
            if time.monotonic() > end:
                raise TimeoutError(f"{self.blocks} blocks after {timeout_s:g} s, not {blocks}")
            time.sleep(0.005)

    def close(self) -> None:
        """Unmap the file; the file stays."""
        self._record = None
        if self._map is not None:
            self._map.close()
            self._map = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def environment(*worlds: VirtualWorld) -> dict[str, str]:
    """What a process that loads the producer needs to see these cameras."""
    return {ENVIRONMENT: os.pathsep.join(str(world.path) for world in worlds)}
