"""What comes from the control and status sockets, checked; and requests as bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from linescan.client.lanes import Stream
from linescan.errors import ProtocolError
from linescan.protocol import Buffer, Kind, check_camera
from linescan.protocol.control import KEPT, status_topic
from linescan.protocol.fields import Fields, dump_json, load_json
from linescan.protocol.topics import SCHEMA, VERSION

MAX_REPLY_BYTES: Final = 4 << 20
"""Longest JSON reply or status message that is parsed."""
MAX_STREAMS: Final = 100_000
"""Most streams that positions may name."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply of the control socket.

    Attributes:
        name: which request it answers.
        id: of the request.
        error: code of what went wrong; None where nothing did.
        text: what went wrong, in words.
        fields: all fields.
        frames: the original message that goes with it.
    """

    name: str
    id: str
    error: str | None
    text: str
    fields: Fields
    frames: Sequence[Buffer]


@dataclass(frozen=True, slots=True)
class EpochEntry:
    """One start of a publisher: by camera and kind, the oldest number kept and the last one."""

    epoch: str
    current: bool
    streams: Mapping[tuple[str, Kind], tuple[int | None, int]]


@dataclass(frozen=True, slots=True)
class Positions:
    """All epochs in order of time, and what was acknowledged under a name."""

    epochs: Sequence[EpochEntry]
    acknowledged: Mapping[Stream, int]


@dataclass(frozen=True, slots=True)
class Status:
    """The last numbers of a camera; -1 where there are none."""

    epoch: str
    camera: str
    last: Mapping[Kind, int]


def encode_request(request: str, id_: str, **fields: Any) -> bytes:
    """A request as its one frame."""
    return dump_json(
        {"schema": SCHEMA, "version": VERSION, "request": request, "id": id_, **fields}
    )


def decode_reply(frames: Sequence[Buffer]) -> Reply:
    """A reply from its frames.

    Raises:
        ProtocolError: it is none of this protocol.
    """
    if frames and not len(frames[0]):
        frames = frames[1:]
    if not frames:
        raise ProtocolError("reply without frames")
    fields = _fields(frames[0], "reply")
    error, text = None, ""
    if not fields.boolean("ok"):
        complaint = fields.child("error")
        error, text = complaint.text("code"), complaint.text("message")
    id_ = "" if fields.empty("id") else fields.text("id")
    return Reply(fields.text("reply"), id_, error, text, fields, frames[1:])


def decode_positions(fields: Fields) -> Positions:
    """The reply to ``positions``.

    Raises:
        ProtocolError: a field is missing or wrong, or it names too many streams.
    """
    epochs, count = [], 0
    for entry in fields.children("epochs"):
        streams = {}
        for stream in entry.children("streams"):
            count += 1
            kind = stream.text("kind")
            if stream.empty("last") or kind not in KEPT:
                continue
            last = stream.integer("last", low=-1)
            oldest = None if stream.empty("oldest") else stream.integer("oldest")
            streams[check_camera(stream.text("camera")), Kind(kind)] = oldest, last
        epochs.append(EpochEntry(entry.text("epoch"), entry.boolean("current"), streams))
    if count + len(epochs) > MAX_STREAMS:
        raise ProtocolError(f"positions name {count} streams: at most {MAX_STREAMS} are allowed")
    if len({entry.epoch for entry in epochs}) < len(epochs):
        raise ProtocolError("positions name an epoch twice")
    acknowledged = {}
    if not fields.empty("acknowledged"):
        for entry in fields.children("acknowledged"):
            if entry.text("kind") in KEPT:
                stream_ = Stream(
                    entry.text("epoch"), entry.text("camera"), Kind(entry.text("kind"))
                )
                acknowledged[stream_] = entry.integer("seq", low=-1)
    return Positions(epochs, acknowledged)


def decode_runs(fields: Fields, key: str, first: int, last: int) -> list[tuple[int, int]]:
    """Runs ``[first, count]`` within a range, as ``(first, end)``.

    Raises:
        ProtocolError: they are no sorted, disjoint runs within the range.
    """
    if fields.empty(key):
        return []
    return [(run.first, run.end) for run in fields.runs(key, first, last + 1)]


def decode_status(frames: Sequence[Buffer]) -> Status:
    """A status message: topic and JSON.

    Raises:
        ProtocolError: it is none of this protocol.
    """
    if len(frames) < 2:
        raise ProtocolError(f"status of {len(frames)} frames: expected topic and JSON")
    fields = _fields(frames[1], "status")
    camera = check_camera(fields.text("camera"))
    if bytes(frames[0][:512]) != status_topic(camera):
        raise fields.fail("camera", "the camera of the topic")
    last = {}
    for kind in KEPT:
        if not fields.empty(kind):
            entry = fields.child(kind)
            last[kind] = -1 if entry.empty("last") else entry.integer("last", low=-1)
    return Status(fields.text("epoch"), camera, last)


def _fields(data: Buffer, where: str) -> Fields:
    size = len(data) if isinstance(data, bytes) else data.nbytes
    if size > MAX_REPLY_BYTES:
        raise ProtocolError(f"{where} of {size} bytes: at most {MAX_REPLY_BYTES} are allowed")
    fields = Fields(load_json(data), where)
    if fields.text("schema") != SCHEMA:
        raise fields.fail("schema", repr(SCHEMA))
    if fields.integer("version") != VERSION:
        raise fields.fail("version", str(VERSION))
    return fields
