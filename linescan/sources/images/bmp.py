"""BMP: a header and uncompressed rows of padded pixels."""

from __future__ import annotations

import struct

from linescan.sources.images.problem import Data, ImageHeader, ImageProblem, truncated

_FILE_HEADER = 14
_CORE_HEADER = 12
_UNCOMPRESSED = frozenset({0, 3, 6})


def read_header(data: Data) -> ImageHeader:
    """Size of the image; BMP pixels have 8 bits for each colour.

    Raises:
        ImageProblem: the file is cut within its header.
    """
    width, height, _, _ = _fields(data)
    return ImageHeader(width, height, 8)


def check_whole(data: Data) -> None:
    """Compare the file's size with that of its pixels.

    Raises:
        ImageProblem: pixels are missing, or are compressed.
    """
    width, height, depth, compression = _fields(data)
    if compression not in _UNCOMPRESSED:
        raise ImageProblem("it is a compressed BMP; convert it to PNG or TIFF")
    (offset,) = struct.unpack("<I", data[10:14])
    expected = offset + (width * depth + 31) // 32 * 4 * height
    if len(data) < expected:
        raise truncated(data, f"{expected - len(data)} more bytes of pixels are expected")


def _fields(data: Data) -> tuple[int, int, int, int]:
    """Width, height, bits of a pixel, compression."""
    if len(data) < _FILE_HEADER + _CORE_HEADER:
        raise truncated(data, "more of the header is expected")
    (size,) = struct.unpack("<I", data[14:18])
    if size == _CORE_HEADER:
        width, height, _, depth = struct.unpack("<HHHH", data[18:26])
        return width, height, depth, 0
    if size < 40:
        raise ImageProblem(f"the file is damaged: a BMP header of {size} bytes")
    if len(data) < _FILE_HEADER + size:
        raise truncated(data, "more of the header is expected")
    width, height, _, depth, compression = struct.unpack("<iiHHI", data[18:34])
    return width, abs(height), depth, compression
