"""What greets each new connection: one frame, the topic and JSON without a separator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from linescan.errors import ProtocolError
from linescan.protocol.arrays import Buffer
from linescan.protocol.fields import Fields, dump_json, load_json
from linescan.protocol.topics import SCHEMA, VERSION, WELCOME, check_camera


@dataclass(frozen=True, slots=True)
class Welcome:
    """Who publishes here.

    Attributes:
        epoch: a UUID for each start of the publisher.
        cameras: whose messages can be had.
        software: name and version of the publisher.
        control: endpoint of its control socket; None where it has none.
        status: endpoint of its status socket; None where it has none.
    """

    epoch: str
    cameras: tuple[str, ...]
    software: str
    control: str | None = None
    status: str | None = None


def encode_welcome(
    epoch: str,
    cameras: Sequence[str],
    software: str,
    *,
    control: str | None = None,
    status: str | None = None,
) -> bytes:
    """The greeting.

    Raises:
        ProtocolError: the name of a camera cannot stand in a topic.
    """
    fields = {
        "schema": SCHEMA,
        "version": VERSION,
        "type": "welcome",
        "epoch": epoch,
        "cameras": [check_camera(camera) for camera in cameras],
        "software": software,
        "control": control,
        "status": status,
    }
    return WELCOME + dump_json(fields)


def is_welcome(frames: Sequence[Buffer]) -> bool:
    """Whether these frames are a greeting."""
    return len(frames) == 1 and bytes(frames[0][: len(WELCOME)]) == WELCOME


def decode_welcome(frames: Sequence[Buffer]) -> Welcome:
    """The greeting from its only frame.

    Raises:
        ProtocolError: it is not one.
    """
    if not is_welcome(frames):
        raise ProtocolError("not a welcome message")
    fields = Fields(load_json(frames[0][len(WELCOME) :]), "welcome")
    cameras = fields.items("cameras")
    if not all(isinstance(camera, str) for camera in cameras):
        raise fields.fail("cameras", "a list of names")
    return Welcome(
        epoch=fields.text("epoch"),
        cameras=tuple(check_camera(camera) for camera in cameras),
        software=fields.text("software"),
        control=None if fields.empty("control") else fields.text("control"),
        status=None if fields.empty("status") else fields.text("status"),
    )
