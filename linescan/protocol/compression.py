"""Lossless compression of array parts: Blosc (bit shuffle, LZ4), in the extra ``compression``.

A Blosc buffer begins with 16 bytes: format, LZ4's format, flags and element size (a byte each),
then bytes before compression, size of a block, and bytes of the buffer (little-endian uint32).
"""

from __future__ import annotations

import functools
import struct
from typing import Any, Final

import numpy as np

from linescan.errors import ProtocolError, install_hint

BLOSC: Final = "blosc"
"""Name of the encoding in the header."""
MAX_BYTES: Final = 256 << 20
"""Most bytes of one array that travels compressed: so much may a receiver have to allocate."""
LEVEL: Final = 5
_HEADER: Final = struct.Struct("<4B3I")


def compress(data: memoryview, itemsize: int) -> memoryview:
    """The Blosc buffer of an array's bytes.

    Raises:
        ProtocolError: the array is too large, or the extra is not installed.
    """
    if data.nbytes > MAX_BYTES:
        raise ProtocolError(
            f"an array of {data.nbytes} bytes: at most {MAX_BYTES} can be sent compressed"
        )
    blosc = _library()
    return memoryview(blosc.compress(data, b"lz4", LEVEL, blosc.BITSHUFFLE, 0, itemsize))


def decompress(data: memoryview, nbytes: int) -> memoryview:
    """The bytes of an array; nothing is allocated before the sizes agree.

    Args:
        data: the Blosc buffer.
        nbytes: size of the array.

    Raises:
        ProtocolError: the buffer is damaged or of another size, the array is too large, or the
            extra is not installed.
    """
    if nbytes > MAX_BYTES:
        raise ProtocolError(
            f"a compressed array of {nbytes} bytes: at most {MAX_BYTES} are accepted"
        )
    if data.nbytes < _HEADER.size:
        raise ProtocolError(f"a Blosc buffer of {data.nbytes} bytes has no room for its header")
    _, _, _, _, before, _, after = _HEADER.unpack_from(data)
    if (before, after) != (nbytes, data.nbytes):
        raise ProtocolError(
            f"a Blosc buffer states {before} bytes in {after}, expected {nbytes} in {data.nbytes}"
        )
    out = np.empty(nbytes, np.uint8)
    try:
        _library().decompress(data, out)
    except (RuntimeError, ValueError) as error:
        raise ProtocolError(f"a Blosc buffer is damaged: {error}") from None
    return out.data


@functools.cache
def _library() -> Any:
    try:
        import numcodecs.blosc
    except ImportError:
        raise ProtocolError(
            f"compressed arrays need numcodecs; {install_hint('compression')}"
        ) from None
    return numcodecs.blosc
