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
