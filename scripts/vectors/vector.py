"""A conformance vector: the bytes of a message, and what they mean."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from linescan.protocol import WELCOME, Buffer

EPOCH: Final = "0b0e5d9e-6c5c-4b0e-9a53-8a34a1f0c001"
CAMERA: Final = "web-1"
NOW: Final = 1_790_000_000_123_456_789

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Vector:
    """A message and what it means.

    Attributes:
        name: of its files.
        socket: where it travels: data, control or status.
        about: what it shows, in a sentence.
        frames: as they travel.
        json_at: which frame is JSON, or ends in it.
        arrays: values of its arrays by name, after scale and offset.
        message: the vector whose frames follow a reply.
    """

    name: str
    socket: str
    about: str
    frames: Sequence[Buffer]
    json_at: int = 1
    arrays: Mapping[str, Array] = field(default_factory=dict)
    message: str | None = None

    def packed(self) -> bytes:
        """The frames in one file: before each, its length as a little-endian uint32."""
        return b"".join(struct.pack("<I", len(f)) + bytes(f) for f in self.frames)

    def truth(self) -> str:
        """What the message means, as JSON."""
        text = bytes(self.frames[self.json_at])
        fields = {
            "about": self.about,
            "socket": self.socket,
            "frame_bytes": [len(frame) for frame in self.frames],
            "json": json.loads(text.removeprefix(WELCOME)),
            "arrays": {name: _plain(array) for name, array in self.arrays.items()},
            "message": self.message,
        }
        lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in fields.items()]
        return "{\n" + ",\n".join(lines) + "\n}\n"


def _plain(array: Array) -> list[list[float | None]]:
    """Rows of numbers; null where there is no value."""
    if array.dtype.kind == "u":
        return [[int(v) for v in row] for row in array]
    # The shortest decimals that are this float32.
    return [[None if np.isnan(v) else float(str(v)) for v in row] for row in array]
