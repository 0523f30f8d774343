"""Names and shapes of the weights in an .onnx file, read without the package ``onnx``.

An ONNX file is a protocol-buffer message (https://protobuf.dev/programming-guides/encoding).
Of it only ``ModelProto.graph`` (field 7), its ``initializer`` entries (field 5), and of these
``dims`` (1) and ``name`` (8) are looked at (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
The weights themselves are skipped.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

from linescan.errors import ModelError

Shape = tuple[int, ...]

_GRAPH, _INITIALIZER, _DIMS, _NAME = 7, 5, 1, 8
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
"""Wire types."""


def tensor_shapes(path: Path) -> dict[str, Shape]:
    """Shapes of the weights of an .onnx file by name, in the file's order.

    Raises:
        ModelError: the file cannot be read, or is damaged.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return dict(
                _tensor(data, *tensor)
                for graph in _messages(data, 0, len(data), _GRAPH)
                for tensor in _messages(data, *graph, _INITIALIZER)
            )
    except (OSError, ValueError, IndexError) as error:
        raise ModelError(f"{path}: its weights cannot be listed: {error}") from error


def _tensor(data: mmap.mmap, start: int, end: int) -> tuple[str, Shape]:
    name, dims = "", []
    for field, kind, value, stop in _fields(data, start, end):
        if field == _NAME and kind == _BYTES:
            name = data[value:stop].decode("utf-8")
        elif field == _DIMS and kind == _VARINT:
            dims.append(value)
        elif field == _DIMS and kind == _BYTES:  # packed
            while value < stop:
                dim, value = _varint(data, value)
                dims.append(dim)
    return name, tuple(dims)


def _messages(data: mmap.mmap, start: int, end: int, wanted: int) -> Iterator[tuple[int, int]]:
    """Begin and end of the messages in a field of that number."""
    for field, kind, value, stop in _fields(data, start, end):
        if field == wanted and kind == _BYTES:
            yield value, stop


def _fields(data: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Number, wire type, and either (value, 0) or (begin, end) of each field."""
    place = start
    while place < end:
        key, place = _varint(data, place)
        field, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, place = _varint(data, place)
            yield field, kind, value, 0
            continue
        if kind == _BYTES:
            length, place = _varint(data, place)
        elif kind in {_FIXED64, _FIXED32}:
            length = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind} at byte {place}")
        if place + length > end:
            raise ValueError(f"cut short at byte {end}")
        yield field, kind, place, place + length
        place += length


def _varint(data: mmap.mmap, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
        if shift > 63:
            raise ValueError(f"number too long at byte {place}")
