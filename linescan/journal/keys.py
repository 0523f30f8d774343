"""What the journal keeps, and how it is named: streams, keys, entries, ranges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from linescan.protocol import Buffer, Kind


class Stream(NamedTuple):
    """One numbering: the messages of one kind of one camera since one start of the publisher."""

    epoch: str
    camera: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Key:
    """What tells one journalled message from all others; ``kind`` is inspection or event."""

    epoch: str
    camera: str
    kind: Kind
    seq: int

    @property
    def stream(self) -> Stream:
        """The numbering that ``seq`` belongs to."""
        return Stream(self.epoch, self.camera, self.kind)

    def __str__(self) -> str:
        return f"{self.camera}/{self.kind} {self.seq} of epoch {self.epoch}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One message, byte for byte as it was published: topic, header, parts."""

    key: Key
    published_ns: int
    frames: Sequence[Buffer]


class Range(NamedTuple):
    """Lowest and highest sequence number that the journal knows of; both are included."""

    oldest: int
    last: int


@dataclass(frozen=True, slots=True)
class Content:
    """What is there of one stream; ``range`` covers messages and gap records.

    Attributes:
        stream: which numbering.
        range: lowest and highest sequence number known.
        messages: how many messages are there.
        missing: how many gap records say were never stored.
        bytes: size on the disk.
        first_ns: publication time of the oldest message.
        last_ns: publication time of the newest message.
    """

    stream: Stream
    range: Range
    messages: int
    missing: int
    bytes: int
    first_ns: int
    last_ns: int

    def joined(self, other: Content) -> Content:
        """What both are together."""
        return Content(
            self.stream,
            Range(
                min(self.range.oldest, other.range.oldest), max(self.range.last, other.range.last)
            ),
            self.messages + other.messages,
            self.missing + other.missing,
            self.bytes + other.bytes,
            min(self.first_ns, other.first_ns),
            max(self.last_ns, other.last_ns),
        )


@dataclass(frozen=True, slots=True)
class Epoch:
    """One start of the publisher.

    Attributes:
        epoch: its UUID.
        started_ns: publication time of the oldest message that is still there.
        streams: what is there of each camera and kind.
    """

    epoch: str
    started_ns: int
    streams: Mapping[tuple[str, Kind], Range]
