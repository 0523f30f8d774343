"""How a virtual camera's world is at the start: its settings, checked and laid out."""

from __future__ import annotations

import ctypes
import enum
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from linescan.records import GrayArray
from linescan.simulation.virtual_camera import clock, layout
from linescan.simulation.virtual_camera.layout import Register, WorldRecord

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
        device_clock: the camera's own clock against the monotonic one: (offset in ns, drift in
            millionths).
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
    device_clock: tuple[int, int] = (0, 0)
    quirks: Quirk = Quirk.NONE


def check(path: Path, pixels: GrayArray, bits: int, settings: WorldSettings) -> None:
    """Check what a new world is made of.

    Raises:
        ValueError: something is out of range.
    """
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


def describe(
    record: WorldRecord, store: Path, pixels: GrayArray, bits: int, settings: WorldSettings
) -> None:
    """Lay out a new world whose pixels lie in ``store``."""
    record.magic, record.version = layout.MAGIC, layout.VERSION
    record.size = ctypes.sizeof(WorldRecord)
    record.base_ns, record.base_line = clock.now_ns(), settings.first_line
    record.rate_mhz = round(settings.line_rate_hz * 1000)
    trigger = settings.trigger_rate_hz
    record.trigger_rate_mhz = record.rate_mhz if trigger is None else round(trigger * 1000)
    record.held, record.quirks = int(settings.hold), int(settings.quirks)
    record.device_offset_ns, record.device_ppm = settings.device_clock
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
