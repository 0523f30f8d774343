"""The committed conformance vectors, as a reader of another language would load them."""

from __future__ import annotations

import functools
import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "protocol_vectors"


@dataclass(frozen=True)
class Loaded:
    """The frames of a message, and the truth about it."""

    name: str
    frames: list[bytes]
    truth: dict[str, Any]

    def __str__(self) -> str:
        return self.name


@functools.cache
def load(name: str) -> Loaded:
    """One vector."""
    data = (FOLDER / f"{name}.frames").read_bytes()
    frames = []
    while data:
        (length,) = struct.unpack_from("<I", data)
        frames.append(data[4 : 4 + length])
        data = data[4 + length :]
    return Loaded(name, frames, json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")))


VECTORS = [load(path.stem) for path in sorted(FOLDER.glob("*.json"))]
DATA = [v for v in VECTORS if v.truth["socket"] == "data" and len(v.frames) > 1]
"""Messages with a topic of their own: all of the data socket but the greeting."""
