"""What leaves for a broker: messages made from what the journal holds."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from linescan.journal import Entry, Stream
from linescan.protocol import Buffer, Kind
from linescan.protocol.fields import dump_json, load_json
from linescan.protocol.topics import SCHEMA, VERSION

EXPIRED: Final = "expired"
"""The word, in subjects and topics, under which is said what could not be forwarded."""


@dataclass(frozen=True, slots=True)
class Gone:
    """Messages ``first`` to ``last`` (included) of a stream that are not to be had any more."""

    stream: Stream
    first: int
    last: int

    @property
    def count(self) -> int:
        """How many."""
        return self.last - self.first + 1

    def __str__(self) -> str:
        stream = self.stream
        return f"{stream.camera}/{stream.kind} {self.first} to {self.last} of epoch {stream.epoch}"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message for a broker.

    Attributes:
        camera: name of the camera.
        word: what it is: inspection, objects, event or expired.
        id: tells it from all others; the same whenever it is sent again.
        frames: JSON header, then array parts.
    """

    camera: str
    word: str
    id: str
    frames: Sequence[Buffer]

    @property
    def size(self) -> int:
        """Bytes of header and parts together."""
        return sum(len(memoryview(frame).cast("B")) for frame in self.frames)


def outgoing(item: Entry | Gone, kinds: Collection[str]) -> list[Outgoing]:
    """The messages of those kinds that an entry, or a gap, of the journal stands for.

    Raises:
        ProtocolError: the header of an inspection is no JSON.
    """
    return list(_of_gap(item) if isinstance(item, Gone) else _of_entry(item, kinds))


def _of_entry(entry: Entry, kinds: Collection[str]) -> Iterator[Outgoing]:
    key = entry.key
    if key.kind in kinds:
        yield Outgoing(key.camera, key.kind, _id(key.stream, key.kind, key.seq), entry.frames[1:])
    if key.kind is Kind.INSPECTION and Kind.OBJECTS in kinds:
        header = _objects(load_json(bytes(entry.frames[1])))
        if header is not None:
            id_ = _id(key.stream, Kind.OBJECTS, key.seq)
            yield Outgoing(key.camera, Kind.OBJECTS, id_, (dump_json(header),))


def _objects(inspection: dict[str, Any]) -> dict[str, Any] | None:
    """The header of the ``objects`` message that goes with an inspection."""
    if inspection.get("segmentation") is None:
        return None
    header = {**inspection, "type": str(Kind.OBJECTS), "map": None, "parts": []}
    header.pop("depth", None)
    return header


def _of_gap(gone: Gone) -> Iterator[Outgoing]:
    stream = gone.stream
    header = {
        "schema": SCHEMA,
        "version": VERSION,
        "type": EXPIRED,
        "epoch": stream.epoch,
        "camera": stream.camera,
        "kind": str(stream.kind),
        "runs": [[gone.first, gone.count]],
    }
    id_ = f"{_id(stream, stream.kind, gone.first)}-{gone.last}/{EXPIRED}"
    yield Outgoing(stream.camera, EXPIRED, id_, (dump_json(header),))


def _id(stream: Stream, kind: str, seq: int) -> str:
    return f"{stream.epoch}/{stream.camera}/{kind}/{seq}"
