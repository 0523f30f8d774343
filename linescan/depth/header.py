"""The head of an .onnx file: inputs, outputs and metadata, without its weights.

A model of a gigabyte is described in a millisecond, whatever its arithmetic; and whoever runs
models needs no onnx package. The file is a Protocol Buffers message
(https://protobuf.dev/programming-guides/encoding); the field numbers are those of ``onnx.proto3``.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from linescan.errors import ModelError

UINT8, FLOAT = 2, 1
"""Element types of ``onnx.TensorProto``."""
_GRAPH, _METADATA = 7, 14
_INPUT, _OUTPUT = 11, 12
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output; a free side of its shape is a name, or empty."""

    name: str
    element: int
    shape: tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Header:
    """What a model takes and gives, and what was written into it."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    metadata: Mapping[str, str]


def read_header(path: Path) -> Header:
    """Read an .onnx file's head.

    Raises:
        ModelError: it cannot be read, is no ONNX model, or is cut short.
    """
    try:
        with path.open("rb") as stream:
            # Not closed by hand: an error's traceback may still refer to a part of it.
            content = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        return _parse(memoryview(content))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path}: not an ONNX model, or a damaged one: export or copy it again ({error})"
        ) from error


def _parse(view: memoryview) -> Header:
    inputs: list[Tensor] = []
    outputs: list[Tensor] = []
    metadata = {}
    graphs = 0
    for number, value in _fields(view):
        if number == _METADATA:
            entry = dict(_fields(_message(value)))
            metadata[_text(entry.get(1))] = _text(entry.get(2))
        elif number == _GRAPH:
            graphs += 1
            for part, content in _fields(_message(value)):
                if part in (_INPUT, _OUTPUT):
                    (inputs if part == _INPUT else outputs).append(_tensor(_message(content)))
    if graphs != 1:
        raise ValueError("it holds no graph")
    return Header(tuple(inputs), tuple(outputs), metadata)


def _tensor(view: memoryview) -> Tensor:
    info = dict(_fields(view))
    kind = dict(_fields(_message(info.get(2, memoryview(b"")))))
    tensor = dict(_fields(_message(kind.get(1, memoryview(b"")))))
    shape: list[int | str] = []
    for number, dim in _fields(_message(tensor.get(2, memoryview(b"")))):
        if number == 1:
            side = dict(_fields(_message(dim)))
            value = side.get(1)
            shape.append(value if isinstance(value, int) else _text(side.get(2)))
    element = tensor.get(1)
    return Tensor(_text(info.get(1)), element if isinstance(element, int) else 0, tuple(shape))


def _fields(view: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Field numbers and values of a message: a number, or the bytes of text or a message."""
    at = 0
    while at < len(view):
        key, at = _varint(view, at)
        number, kind = key >> 3, key & 7
        value: int | memoryview
        if kind == _VARINT:
            value, at = _varint(view, at)
        else:
            if kind == _BYTES:
                length, at = _varint(view, at)
            elif kind in (_FIXED64, _FIXED32):
                length = 8 if kind == _FIXED64 else 4
            else:
                raise ValueError("no Protocol Buffers message")
            if at + length > len(view):
                raise ValueError("it is cut short")
            value, at = view[at : at + length], at + length
        if number == 0:
            raise ValueError("no Protocol Buffers message")
        yield number, value


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, low ones first, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(view):
            raise ValueError("it is cut short")
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("no Protocol Buffers message")


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError("no ONNX model")
    return value


def _text(value: int | memoryview | None) -> str:
    return "" if value is None else str(_message(value), "utf-8")
