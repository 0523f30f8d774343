"""Large messages, and publishers with room for few of them."""

from __future__ import annotations

from typing import Any

from linescan.protocol import Buffer, Kind, Stamp, encode, encode_start
from linescan.publishing import Publisher
from tests.protocol.samples import inspection

MB = 1 << 20
LARGE = 3 * MB // 2
"""Bytes of the arrays of ``large``."""
LIMIT_MB = 64
LARGE_ONES: dict[str, Any] = {
    "memory_mb": LIMIT_MB,
    "linger_s": 0.2,
    "message_bytes": LARGE,
    "control": None,
    "status": None,
}
"""How a publisher is told of them."""


def large(publisher: Publisher, seq: int, nbytes: int = LARGE) -> list[Buffer]:
    item = inspection(seq * 64, size=(256, nbytes // 256 // 6), objects=0)  # 6 bytes a pixel
    message = encode(item, Kind.INSPECTION, Stamp("web-1", publisher.epoch, seq, 1))
    assert message is not None
    return message


def event(publisher: Publisher, seq: int) -> list[Buffer]:
    stamp = Stamp("web-1", publisher.epoch, seq, 1)
    return encode_start(stamp, software="s", settings={}, settings_sha256="")
