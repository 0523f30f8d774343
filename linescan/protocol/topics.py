"""Topics: ``linescan/1/<camera>/<kind>/``, trailing slash included.

The trailing slash keeps a subscription to one topic from matching another that merely begins alike.
"""

from __future__ import annotations

import enum
import re
from typing import Final

from linescan.errors import ProtocolError

SCHEMA: Final = "linescan"
VERSION: Final = 1
ROOT: Final = f"{SCHEMA}/{VERSION}/"
WELCOME: Final = f"{ROOT}welcome/".encode()
"""Topic of the message that greets each new connection."""
MAX_TOPIC_BYTES: Final = 256

_CAMERA: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_RESERVED: Final = "welcome"


class Kind(enum.StrEnum):
    """What a topic carries."""

    INSPECTION = "inspection"
    """Depth, labels and objects of one frame, in one message."""
    INSPECTION_BLOSC = "inspection.blosc"
    """The same with compressed arrays."""
    DEPTH_F32 = "depth.f32"
    """Depth alone."""
    DEPTH_U16 = "depth.u16"
    """Depth alone, as scaled 16-bit integers."""
    MASK = "mask"
    """Where objects are, 0 or 255."""
    OBJECTS = "objects"
    """Objects alone, no arrays."""
    IMAGE = "image"
    """The gray frame at full resolution."""
    EVENT = "event"
    """Start, loss and end."""


DERIVED: Final = (
    Kind.INSPECTION_BLOSC,
    Kind.DEPTH_F32,
    Kind.DEPTH_U16,
    Kind.MASK,
    Kind.OBJECTS,
    Kind.IMAGE,
)
"""Kinds that repeat an inspection, or part of it, under its sequence number."""


def topic(camera: str, kind: Kind) -> bytes:
    """The topic of a camera's messages of one kind.

    Raises:
        ProtocolError: the name of the camera cannot stand in a topic.
    """
    return f"{ROOT}{check_camera(camera)}/{kind}/".encode()


def parse_topic(text: bytes) -> tuple[str, Kind]:
    """Camera and kind of a topic.

    Raises:
        ProtocolError: it is not a topic of this protocol and version.
    """
    if len(text) > MAX_TOPIC_BYTES:
        raise ProtocolError(f"topic of {len(text)} bytes: at most {MAX_TOPIC_BYTES} are allowed")
    root, _, rest = text.partition(ROOT.encode())
    parts = rest.split(b"/")
    if root or len(parts) != 3 or parts[2]:
        raise ProtocolError(f"topic {text!r}: expected {ROOT}<camera>/<kind>/")
    try:
        return check_camera(parts[0].decode("ascii")), Kind(parts[1].decode("ascii"))
    except ValueError:
        raise ProtocolError(f"topic {text!r}: unknown kind, expected {', '.join(Kind)}") from None


def check_camera(name: str) -> str:
    """The name, if it can stand in a topic.

    Raises:
        ProtocolError: it cannot.
    """
    if name == _RESERVED or not _CAMERA.fullmatch(name):
        raise ProtocolError(
            f"camera name {name!r}: use 1 to 63 letters, digits, '.', '_' or '-', beginning with a"
            f" letter or digit; {_RESERVED!r} is reserved"
        )
    return name
