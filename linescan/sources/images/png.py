"""PNG: a chain of chunks, each with a check sum, up to IEND."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from linescan.sources.images.problem import Data, ImageHeader, ImageProblem, truncated

_SIGNATURE = 8
_OVERHEAD = 12  # length, type and check sum of a chunk


def read_header(data: Data) -> ImageHeader:
    """Size and depth from the first chunk.

    Raises:
        ImageProblem: the file is cut before it, or it is damaged.
    """
    kind, start, size = next(_chunks(data))
    if kind != b"IHDR" or size != 13:
        raise ImageProblem("the file is damaged: a PNG must begin with IHDR")
    width, height, depth = struct.unpack(">IIB", data[start : start + 9])
    return ImageHeader(width, height, 16 if depth == 16 else 8)


def check_whole(data: Data) -> None:
    """Follow the chunks to the end.

    Raises:
        ImageProblem: one is cut or its check sum is wrong.
    """
    for kind, _, _ in _chunks(data):
        if kind == b"IEND":
            return


def _chunks(data: Data) -> Iterator[tuple[bytes, int, int]]:
    """Type, start and size of the content of each chunk, checked."""
    at = _SIGNATURE
    while True:
        if at + _OVERHEAD > len(data):
            raise truncated(data, "more is expected")
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        end = at + _OVERHEAD + size
        if end > len(data):
            raise truncated(data, f"{end - len(data)} more bytes of a chunk are expected")
        (checksum,) = struct.unpack(">I", data[end - 4 : end])
        if zlib.crc32(data[at + 4 : end - 4]) != checksum:
            raise ImageProblem(f"the file is damaged: wrong check sum of the chunk at byte {at}")
        yield kind, at + 8, size
        at = end
