"""Names and limits of the control and status sockets, which both ends share."""

from __future__ import annotations

import re
from typing import Final

from linescan.errors import ProtocolError
from linescan.names import SUBSCRIBER
from linescan.protocol.topics import ROOT, Kind, check_camera

KEPT: Final = (Kind.INSPECTION, Kind.EVENT)
"""Kinds that the journal keeps; all others are derived from these."""
MAX_REQUEST_BYTES: Final = 64 << 10
MAX_ID: Final = 64
MAX_EPOCH: Final = 64
"""Longest ``id`` of a request, in characters."""
MAX_CREDIT: Final = 16
"""Most messages of a replay on their way to one subscriber."""
MAX_RUNS: Final = 1024
"""Most runs in one report of gaps."""


def status_topic(camera: str) -> bytes:
    """The topic of a camera's status messages.

    Raises:
        ProtocolError: the name of the camera cannot stand in a topic.
    """
    return f"{ROOT}{check_camera(camera)}/status/".encode()


def check_name(name: str) -> str:
    """The name of a subscriber, if it may be one.

    Raises:
        ProtocolError: it may not.
    """
    if not re.fullmatch(SUBSCRIBER, name) or name in (".", ".."):
        raise ProtocolError(
            f"subscriber name {ascii(name)[:70]}: use 1 to 63 letters, digits, '.', '_' or '-'"
        )
    return name
