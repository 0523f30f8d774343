"""Array parts: what the header says about them, and views of the bytes that arrived."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from linescan.errors import ProtocolError
from linescan.protocol.checksum import crc32c
from linescan.protocol.compression import BLOSC, compress, decompress
from linescan.protocol.fields import Fields

Buffer = bytes | memoryview
"""One ZeroMQ frame: the topic, the header or the bytes of an array."""

Part = tuple[dict[str, Any], memoryview]
"""An array: the header's entry for it, and its bytes."""

DTYPES: Final[Mapping[str, np.dtype[Any]]] = {
    "uint8": np.dtype("u1"),
    "uint16": np.dtype("<u2"),
    "float32": np.dtype("<f4"),
}
"""Element types that may travel, little-endian, by their name in the header."""
RAW: Final = "raw"
MAX_SIDE: Final = 2**31 - 1


def describe(
    name: str,
    array: npt.NDArray[Any],
    *,
    unit: str | None = None,
    scale: float = 1.0,
    offset: float = 0.0,
    invalid: str | None = None,
) -> Part:
    """The header's entry for an array, and its bytes: no copy where the array is contiguous.

    Raises:
        ProtocolError: its element type may not travel, or it is not a picture with pixels.
    """
    dtype = DTYPES.get(array.dtype.name)
    if dtype is None or array.ndim != 2 or array.size == 0:
        raise ProtocolError(
            f"part {name!r}: expected a 2-D array of {', '.join(DTYPES)}, got"
            f" {array.dtype.name} of shape {array.shape}"
        )
    contiguous = np.ascontiguousarray(array, dtype=dtype)
    data = contiguous.view(np.uint8).reshape(-1).data
    entry = {
        "name": name,
        "dtype": array.dtype.name,
        "shape": list(array.shape),
        "unit": unit,
        "scale": scale,
        "offset": offset,
        "invalid": invalid,
        "encoding": RAW,
        "nbytes": data.nbytes,
        "crc32c": crc32c(data),
    }
    return entry, data


def compressed(part: Part) -> Part:
    """The same array in fewer bytes.

    Raises:
        ProtocolError: it is too large, or the library for it is not installed.
    """
    entry, data = part
    smaller = compress(data, DTYPES[entry["dtype"]].itemsize)
    changed = {"encoding": BLOSC, "nbytes": smaller.nbytes, "crc32c": crc32c(smaller)}
    return entry | changed, smaller


class Parts:
    """The array parts of a message that arrived, by name.

    Parts that nobody asks for are never looked into, so a newer publisher may add some.
    """

    def __init__(self, header: Fields, buffers: Sequence[Buffer], *, verify: bool) -> None:
        self._entries: dict[str, tuple[Fields, Buffer]] = {}
        self._verify = verify
        entries = list(header.children("parts"))
        if len(entries) > len(buffers):
            raise ProtocolError(
                f"header.parts describes {len(entries)} parts, the message carries {len(buffers)}"
            )
        for entry, buffer in zip(entries, buffers, strict=False):
            name = entry.text("name")
            if name in self._entries:
                raise ProtocolError(f"part {name!r} is there twice")
            self._entries[name] = entry, buffer

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def entry(self, name: str) -> Fields:
        """What the header says about a part.

        Raises:
            ProtocolError: the part is missing.
        """
        if name not in self._entries:
            raise ProtocolError(f"part {name!r} is missing")
        return self._entries[name][0]

    def array(self, name: str, *dtypes: str) -> npt.NDArray[Any]:
        """A read-only 2-D view of a part's bytes, or of what they were before compression.

        Raises:
            ProtocolError: the part is missing, or its bytes are not what the header says.
        """
        entry = self.entry(name)
        dtype = entry.text("dtype")
        if dtype not in dtypes:
            raise entry.fail("dtype", " or ".join(dtypes))
        encoding = entry.text("encoding")
        if encoding not in (RAW, BLOSC):
            raise entry.fail("encoding", f"'{RAW}' or '{BLOSC}'")
        shape = _shape(entry)
        data = memoryview(self._entries[name][1]).cast("B")
        size = math.prod(shape) * DTYPES[dtype].itemsize
        expected = entry.integer("nbytes")
        if encoding == RAW and expected != size:
            raise entry.fail("nbytes", f"{size} for {dtype} of shape {shape}")
        if data.nbytes != expected:
            raise ProtocolError(f"part {name!r}: {data.nbytes} bytes arrived, not {expected}")
        self._check(name, entry, data)
        if encoding == BLOSC:
            data = _decompressed(name, data, size)
        return _view(data, DTYPES[dtype], shape)

    def _check(self, name: str, entry: Fields, data: memoryview) -> None:
        if entry.empty("crc32c"):
            return
        stated = entry.integer("crc32c", high=2**32 - 1)
        computed = crc32c(data) if self._verify else None
        if computed is not None and computed != stated:
            raise ProtocolError(f"part {name!r} is damaged: CRC-32C {computed}, not {stated}")


def _shape(entry: Fields) -> tuple[int, int]:
    shape = entry.items("shape")
    if len(shape) != 2 or not all(type(n) is int and 1 <= n <= MAX_SIDE for n in shape):
        raise entry.fail("shape", "two positive integers")
    return shape[0], shape[1]


def _decompressed(name: str, data: memoryview, size: int) -> memoryview:
    try:
        return decompress(data, size)
    except ProtocolError as error:
        raise ProtocolError(f"part {name!r}: {error}") from None


def _view(data: memoryview, dtype: np.dtype[Any], shape: tuple[int, int]) -> npt.NDArray[Any]:
    array = np.frombuffer(data, dtype=dtype).reshape(shape)
    if not array.flags.aligned:  # some libraries cannot take such an array
        array = array.copy()
    array.flags.writeable = False
    return array
