"""What the publisher needs of a journal; the pipeline's factory hands one in."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from linescan.protocol import Buffer, Kind


@dataclass(frozen=True, slots=True, order=True)
class Stream:
    """Messages under one numbering: ``inspection`` or ``event`` of a camera in one epoch."""

    epoch: str
    camera: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Kept:
    """A message as it was published: topic, header, parts."""

    seq: int
    frames: Sequence[Buffer]


@dataclass(frozen=True, slots=True)
class KeptEpoch:
    """What is kept of one start of a publisher.

    Attributes:
        epoch: its UUID.
        started_ns: host time of its first message.
        streams: oldest and last kept sequence number of each stream.
    """

    epoch: str
    started_ns: int
    streams: Mapping[Stream, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class JournalHealth:
    """Whether a journal keeps what it is given.

    Attributes:
        since_ns: since when it does not, host time; None while it does.
        reason: why it does not, in one sentence; empty while it does.
        missing: messages since the start that it does not have, whatever the cause.
    """

    since_ns: int | None
    reason: str
    missing: int


class Journal(Protocol):
    """A durable store of messages, which counts what it misses and raises the alarm itself.

    ``append`` is called in the publisher's thread, ``sync`` in another, ``health`` in any, all
    others in a third. Each raises a ``LinescanError`` or an ``OSError`` where it cannot do it.
    """

    def open(self) -> None:
        """Called once, before all others."""

    def append(self, stream: Stream, seq: int, published_ns: int, frames: Sequence[Buffer]) -> None:
        """Have a message kept; the frames stay as they are from now on."""

    def health(self) -> JournalHealth:
        """Whether it keeps what it is given."""

    def sync(self) -> Mapping[Stream, int]:
        """Make durable what was appended, and say up to which numbers that is."""

    def flush(self) -> None:
        """Wait until what was appended is kept, so that others name it and read it."""

    def epochs(self) -> Sequence[KeptEpoch]:
        """What is kept, in order of time."""

    def pruned(self) -> Mapping[Stream, int]:
        """The last numbers of streams that were kept once and of which nothing is left.

        Bounded: of epochs that were pruned long ago nothing is known.
        """

    def read(self, stream: Stream, first: int, last: int) -> Generator[Kept, None, None]:
        """Messages of a range in order; those that are not to be had are left out."""

    def acknowledge(self, name: str, stream: Stream, seq: int) -> None:
        """A subscriber has processed all up to a number."""

    def acknowledged(self, name: str) -> Mapping[Stream, int]:
        """What a subscriber has acknowledged; empty where it is not known."""

    def close(self) -> None:
        """Sync and release; called when no other call is under way."""
