"""The wire format ``linescan/1``: topic, JSON header, raw array parts.

See docs/reference/protocol.md. Needs numpy alone; uses crc32c, and numcodecs for compressed
arrays, where they are installed.
"""

from linescan.protocol.arrays import Buffer
from linescan.protocol.decode import decode
from linescan.protocol.encode import (
    encode,
    encode_completed,
    encode_end,
    encode_loss,
    encode_start,
)
from linescan.protocol.messages import (
    CompletedEvent,
    DepthMessage,
    EndEvent,
    EndTotals,
    EventMessage,
    FrameMessage,
    ImageMessage,
    InspectionMessage,
    LossEvent,
    MaskMessage,
    Message,
    ObjectsMessage,
    Stamp,
    StartEvent,
)
from linescan.protocol.topics import DERIVED, WELCOME, Kind, check_camera, parse_topic, topic
from linescan.protocol.welcome import Welcome, decode_welcome, encode_welcome, is_welcome

__all__ = [
    "DERIVED",
    "WELCOME",
    "Buffer",
    "CompletedEvent",
    "DepthMessage",
    "EndEvent",
    "EndTotals",
    "EventMessage",
    "FrameMessage",
    "ImageMessage",
    "InspectionMessage",
    "Kind",
    "LossEvent",
    "MaskMessage",
    "Message",
    "ObjectsMessage",
    "Stamp",
    "StartEvent",
    "Welcome",
    "check_camera",
    "decode",
    "decode_welcome",
    "encode",
    "encode_completed",
    "encode_end",
    "encode_loss",
    "encode_start",
    "encode_welcome",
    "is_welcome",
    "parse_topic",
    "topic",
]
