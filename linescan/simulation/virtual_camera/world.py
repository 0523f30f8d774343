"""A virtual camera's world: what it sees, its clock, its faults, and what it did."""

from __future__ import annotations

import ctypes
import enum
import mmap
import os
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from linescan.errors import SourceError
from linescan.records import GrayArray
from linescan.simulation.virtual_camera import clock, layout
from linescan.simulation.virtual_camera.faults import Fault, FaultKind, FaultState
from linescan.simulation.virtual_camera.layout import Register, WorldRecord
from linescan.simulation.virtual_camera.truth import JournalEntry, JournalKind, Truth, truth_of

ENVIRONMENT = "LINESCAN_VIRTUAL_CAMERA"
"""Names the world files for the producer, one camera each, with ``:`` between them."""
NO_WRAP = 2**62
"""A ``last_block_id`` that is never reached."""
PIXEL_FORMATS: Mapping[str, int] = {
    "Mono8": 0x01080001,
    "Mono10": 0x01100003,
    "Mono10p": 0x010A0046,
    "Mono10Packed": 0x010C0004,
    "Mono12": 0x01100005,
    "Mono12p": 0x010C0047,
    "Mono12Packed": 0x010C0006,
    "Mono16": 0x01100007,
}
"""Numbers of the pixel formats, by the GenICam pixel format naming convention."""


class Quirk(enum.IntFlag):
    """What the producer does not tell, as with some vendors' producers."""

    NONE = 0
    NO_FRAME_ID = 1
    NO_TIMESTAMP = 2
    NO_DELIVERED_HEIGHT = 4
    NO_STATISTICS = 8
    NO_ACCESS_STATUS = 16


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """How a new world is.

    Attributes:
        line_rate_hz: lines per second in free run, 1 to 1,000,000.
        trigger_rate_hz: line triggers (or encoder ticks) per second while a trigger is on.
        block_lines: lines of a block (feature Height), as long as nobody sets another.
        pixel_format: one of ``PIXEL_FORMATS``; the one of the pixels where None.
        serial: serial number, at most 63 characters.
        user_name: user-defined name.
        ticks_per_line: encoder ticks of a line, as a fraction.
        wobble: uneven travel: (ticks, lines) of a sine on the encoder's position.
        first_block_id: id of a stream's first block.
        last_block_id: id after which the ids begin at 1 again, 65535 as with GigE Vision.
        hold: no line passes before the first stream starts, so that it begins at ``first_line``.
        first_line: the line counter at the start.
        quirks: what the producer does not tell.
    """

    line_rate_hz: float = 10_000.0
    trigger_rate_hz: float | None = None
    block_lines: int = 512
    pixel_format: str | None = None
    serial: str = "0001"
    user_name: str = "virtual"
    ticks_per_line: tuple[int, int] = (4, 1)
    wobble: tuple[float, float] = (0.0, 0.0)
    first_block_id: int = 1
    last_block_id: int = NO_WRAP
    hold: bool = False
    first_line: int = 0
    quirks: Quirk = Quirk.NONE


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
    ) -> VirtualWorld:
        """Make a world whose camera sees these lines, again and again.

        Args:
            path: the world file; the pixels go beside it, with ``.lines`` added.
            pixels: (lines, width) uint8 or uint16.
            bits: bits of a value that are in use; all of them where None.
            settings: how it is; ``WorldSettings()`` where None.

        Raises:
            SourceError: it cannot be written.
            ValueError: a setting is out of range.
        """
        settings = settings if settings is not None else WorldSettings()
        bits = bits if bits is not None else 8 * pixels.dtype.itemsize
        _check(path, pixels, bits, settings)
        store = path.with_name(path.name + ".lines")
        record = WorldRecord()
        _describe(record, store, pixels, bits, settings)
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


def _check(path: Path, pixels: GrayArray, bits: int, settings: WorldSettings) -> None:
    if pixels.ndim != 2 or not pixels.size or pixels.dtype not in (np.uint8, np.uint16):
        raise ValueError("the pixels must be (lines, width) of uint8 or uint16, and not empty")
    if pixels.shape[1] > 65536 or not 8 <= bits <= 8 * pixels.dtype.itemsize:
        raise ValueError("a line has 65,536 pixels of 8 to 16 bits at most")
    if (bits > 8) != (pixels.dtype == np.uint16):
        raise ValueError("pixels of 8 bits are uint8, of more bits uint16")
    if not 1 <= settings.line_rate_hz <= 1e6 or not 1 <= settings.block_lines <= 65535:
        raise ValueError("1 to 1,000,000 lines per second, in blocks of 1 to 65,535")
    if settings.pixel_format not in (None, *PIXEL_FORMATS):
        raise ValueError(f"pixel formats are {', '.join(PIXEL_FORMATS)}")
    if settings.ticks_per_line[1] < 1:
        raise ValueError("ticks_per_line is a fraction with a positive denominator")
    if os.pathsep in str(path):
        raise ValueError(f"{path}: the path of a world must not contain '{os.pathsep}'")
    names = ((settings.serial, layout.TEXT), (settings.user_name, layout.TEXT))
    for text, size in (*names, (str(path.absolute()) + ".lines", layout.PATH)):
        if len(os.fsencode(text)) >= size:
            raise ValueError(f"{text!r} is longer than {size - 1} bytes")


def _describe(
    record: WorldRecord, store: Path, pixels: GrayArray, bits: int, settings: WorldSettings
) -> None:
    record.magic, record.version = layout.MAGIC, layout.VERSION
    record.size = ctypes.sizeof(WorldRecord)
    record.base_ns, record.base_line = clock.now_ns(), settings.first_line
    record.rate_mhz = round(settings.line_rate_hz * 1000)
    trigger = settings.trigger_rate_hz
    record.trigger_rate_mhz = record.rate_mhz if trigger is None else round(trigger * 1000)
    record.held, record.quirks = int(settings.hold), int(settings.quirks)
    record.ticks_num, record.ticks_den = settings.ticks_per_line
    record.wobble_ticks, record.wobble_lines = settings.wobble
    record.store_lines, record.store_width = pixels.shape
    record.store_bits, record.store_first = bits, settings.first_line
    record.first_block_id, record.last_block_id = settings.first_block_id, settings.last_block_id
    record.serial, record.user_name = settings.serial.encode(), settings.user_name.encode()
    record.store = os.fsencode(store.absolute())
    own = next((f"Mono{n}" for n in (8, 10, 12) if bits <= n), "Mono16")
    values = {
        Register.WIDTH: pixels.shape[1],
        Register.HEIGHT: settings.block_lines,
        Register.PIXEL_FORMAT: PIXEL_FORMATS[settings.pixel_format or own],
        Register.LINE_RATE: _float(settings.line_rate_hz),
        Register.LINE_RATE_ENABLE: 1,
        Register.EXPOSURE: _float(10.0),
        Register.TRIGGER_SOURCE: 1,
        Register.ENCODER_A: 1,
        Register.ENCODER_B: 2,
        Register.ENCODER_DIVIDER: 1,
        Register.ENCODER_OUTPUT: 5,
        Register.ENCODER_RESOLUTION: _float(10.0),
    }
    for number, value in values.items():
        record.registers[number] = value


def _float(value: float) -> int:
    """A register of eight bytes that holds a float."""
    (bits,) = struct.unpack("<Q", struct.pack("<d", value))
    return int(bits)
