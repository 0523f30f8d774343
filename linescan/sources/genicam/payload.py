"""A GenTL buffer's bytes as rows of pixels: padding left out, stale rows never counted.

The bytes are read as GenTL describes them, not through Harvesters' payload, which keeps padding and
loses images of variable height.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from linescan.errors import SourceError

FORMATS = {
    0x01080001: "Mono8",
    0x01100003: "Mono10",
    0x010A0046: "Mono10p",
    0x010C0004: "Mono10Packed",
    0x01100005: "Mono12",
    0x010C0047: "Mono12p",
    0x010C0006: "Mono12Packed",
    0x01100025: "Mono14",
    0x01100007: "Mono16",
}
"""Gray formats by their number in the pixel format naming convention (PFNC)."""
BIG_ENDIAN = 2
_TILE = 65536
"""Pixels that are unpacked at a time, so that they stay in a core's own cache."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a gray format stores a line.

    Attributes:
        name: of the format.
        bits: of a pixel value.
        stored_bits: that a pixel takes.
    """

    name: str
    bits: int
    stored_bits: int

    @property
    def dtype(self) -> str:
        """Type of the pixels in memory."""
        return "uint8" if self.bits == 8 else "uint16"

    def line_bytes(self, width: int) -> int:
        """Bytes of a line without padding."""
        return -(-width * self.stored_bits // 8)


def layout_of(pixel_format: str) -> Layout:
    """How a format such as Mono8 or Mono12p is stored.

    Raises:
        SourceError: the format is not gray.
    """
    found = re.fullmatch(r"Mono(8|10|12|14|16)(p|Packed)?", pixel_format)
    if found is None or pixel_format not in FORMATS.values():
        raise SourceError(
            f"the camera's pixel format {pixel_format} is none of {', '.join(FORMATS.values())}; "
            "set 'source.pixel_format'"
        )
    bits = int(found[1])
    packed = {"p": bits, "Packed": 12}.get(found[2] or "", 8 if bits == 8 else 16)
    return Layout(pixel_format, bits, packed)


@dataclass(frozen=True, slots=True)
class Image:
    """Where the rows lie in a buffer.

    Attributes:
        memory: the buffer.
        offset: bytes before the first row.
        rows: rows that the camera really delivered.
        pitch: bytes from row to row.
        big_endian: byte order of 16-bit pixels.
    """

    memory: Any
    offset: int
    rows: int
    pitch: int
    big_endian: bool


def find_image(buffer: Any, layout: Layout, width: int, height: int) -> Image | None:
    """The rows in a raw GenTL buffer; None where they are not what was configured.

    Args:
        buffer: the GenTL buffer.
        layout: of the configured format.
        width: configured pixels of a line.
        height: most rows that there is room for.
    """
    number = optional(buffer, "pixel_format")
    if number in FORMATS and FORMATS[number] != layout.name:
        return None
    if (optional(buffer, "width") or width) != width:
        return None
    rows = rows_of(buffer, height)
    memory, offset = buffer.raw_buffer, optional(buffer, "image_offset") or 0
    filled = min(optional(buffer, "size_filled") or len(memory), len(memory)) - offset
    line = layout.line_bytes(width)
    pitch = line + (optional(buffer, "padding_x") or 0)
    if not 0 < rows <= height or pitch * (rows - 1) + line > filled:
        return None
    big = optional(buffer, "pixel_endianness") == BIG_ENDIAN
    return Image(memory, offset, rows, pitch, big)


def rows_of(buffer: Any, height: int) -> int:
    """Rows that the camera really delivered, as far as the producer says; 0 where none came.

    Args:
        buffer: the GenTL buffer.
        height: rows of a block, where it says nothing.
    """
    delivered = optional(buffer, "delivered_image_height")
    rows = optional(buffer, "height") or delivered or height
    return rows if delivered is None else min(rows, delivered)


def copy_rows(image: Image, layout: Layout, width: int, to: npt.NDArray[Any]) -> None:
    """Copy, and unpack, the rows of an image.

    Args:
        image: where they lie.
        layout: of their format.
        width: pixels of a line.
        to: (rows or more, width) uint8 or uint16, contiguous; the first rows are written.
    """
    if layout.stored_bits in (8, 16):
        order = ">" if image.big_endian else "<"
        kind = np.dtype(f"{order}u{layout.stored_bits // 8}")
        shape, strides = (image.rows, width), (image.pitch, kind.itemsize)
        to[: image.rows] = np.ndarray(shape, kind, image.memory, image.offset, strides)
        return
    shape = (image.rows, layout.line_bytes(width))
    lines = np.ndarray(shape, np.uint8, image.memory, image.offset, (image.pitch, 1))
    step = max(1, _TILE // width)
    for first in range(0, image.rows, step):
        rows = slice(first, min(first + step, image.rows))
        _unpack(lines[rows], layout, to[rows])


def _unpack(lines: npt.NDArray[np.uint8], layout: Layout, to: npt.NDArray[np.uint16]) -> None:
    """Values of packed lines (rows, bytes).

    ``p`` formats are a stream of bits, lowest first (PFNC 2.1, section 6.2); ``Packed`` ones put
    two pixels' high eight bits around a byte with their low bits (GigE Vision 2.0, section 25).
    """
    width = to.shape[1]
    pixels = 2 if layout.stored_bits == 12 else 4
    group = pixels * layout.stored_bits // 8
    groups = -(-width // pixels)
    if lines.shape[1] < groups * group:  # the last group is cut
        lines = np.pad(lines, ((0, 0), (0, groups * group - lines.shape[1])))
    parts = [lines[:, at : groups * group : group].astype(np.uint16) for at in range(group)]
    for pixel in range(pixels):
        of_pixel = to[:, pixel::pixels]
        value = _pixel(parts, layout, pixel)
        np.copyto(of_pixel, value[:, : of_pixel.shape[1]])


def _pixel(
    parts: list[npt.NDArray[np.uint16]], layout: Layout, pixel: int
) -> npt.NDArray[np.uint16]:
    """One pixel of each group, from the group's bytes."""
    bits = layout.bits
    if layout.name.endswith("Packed"):
        low = bits - 8
        high = parts[0 if pixel == 0 else 2] << low
        value = high | ((parts[1] >> (4 * pixel)) & ((1 << low) - 1))
        return value.astype(np.uint16, copy=False)
    byte, shift = divmod(pixel * bits, 8)
    value = (parts[byte] >> shift) | (parts[byte + 1] << (8 - shift))
    value &= (1 << bits) - 1
    return value.astype(np.uint16, copy=False)


def optional(module: Any, name: str) -> int | None:
    """A property that the producer need not have."""
    try:
        return int(getattr(module, name))
    except Exception:  # noqa: BLE001 - GenTL says so by an error
        return None
