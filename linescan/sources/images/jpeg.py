"""JPEG: a chain of segments; after SOS coded pixels up to the next marker; at last EOI.

A file that was cut is found. Damage within the coded pixels is not: JPEG has no check sums, and
decoders fill in what they cannot decode. Recordings, PNG and TIFF do not have this gap.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from linescan.sources.images.problem import Data, ImageHeader, ImageProblem, truncated

_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN = 0xDA
_END_OF_IMAGE = 0xD9
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""In coded pixels, FF 00 is a value, FF D0 to D7 restarts, and FF FF fills."""


def read_header(data: Data) -> ImageHeader:
    """Size and depth from the start of the frame.

    Raises:
        ImageProblem: the file is cut before it, or has none.
    """
    for kind, start, size in _segments(data):
        if kind in _START_OF_FRAME:
            if size < 6:
                break
            depth, height, width = struct.unpack(">BHH", data[start : start + 5])
            return ImageHeader(width, height, 8 if depth <= 8 else 16)
    raise ImageProblem("the file is damaged: it has no start of frame")


def check_whole(data: Data) -> None:
    """Follow the segments to the end of the image.

    Raises:
        ImageProblem: the file ends before it.
    """
    scans = sum(kind == _START_OF_SCAN for kind, _, _ in _segments(data))
    if not scans:
        raise ImageProblem("the file is damaged: it has no coded pixels")


def _segments(data: Data) -> Iterator[tuple[int, int, int]]:
    """Marker, start and size of the content of each segment, up to the end of the image."""
    at = 2
    while True:
        while at < len(data) and data[at : at + 2] == b"\xff\xff":
            at += 1
        if at + 2 > len(data):
            raise truncated(data, "the end of the image is missing")
        if data[at] != 0xFF:
            raise ImageProblem(f"the file is damaged: no marker at byte {at}")
        kind = data[at + 1]
        if kind == _END_OF_IMAGE:
            return
        if at + 4 > len(data):
            raise truncated(data, "the end of the image is missing")
        (size,) = struct.unpack(">H", data[at + 2 : at + 4])
        if size < 2:
            raise ImageProblem(f"the file is damaged: wrong segment at byte {at}")
        end = at + 2 + size
        if end > len(data):
            raise truncated(data, "the end of the image is missing")
        yield kind, at + 4, size - 2
        at = _after_scan(data, end) if kind == _START_OF_SCAN else end


def _after_scan(data: Data, at: int) -> int:
    marker = _NEXT_MARKER.search(data, at)
    if marker is None:
        raise truncated(data, "the end of the image is missing")
    return marker.start()
