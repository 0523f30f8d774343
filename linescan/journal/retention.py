"""Which segments may go: by size, by age, and by what subscribers have acknowledged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from linescan.journal.keys import Stream

Acknowledged = Mapping[Stream, int]


@dataclass(frozen=True, slots=True)
class Closed:
    """A segment that is no longer written to.

    Attributes:
        number: of the file.
        bytes: its size.
        last_ns: publication time of its newest message.
        last: highest sequence number of each stream in it; None where the index does not know.
    """

    number: int
    bytes: int
    last_ns: int
    last: Mapping[Stream, int] | None


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept: at most so many bytes, and what is older than a time only where needed."""

    most_bytes: int
    oldest_ns: int


@dataclass(frozen=True, slots=True)
class Choice:
    """A segment that goes.

    Attributes:
        number: of the file.
        bytes: its size.
        cut_off: names that have not acknowledged all of it: it goes all the same, for lack of room.
    """

    number: int
    bytes: int
    cut_off: tuple[str, ...]


def choose(
    segments: Sequence[Closed], limits: Limits, keep_for: Mapping[str, Acknowledged]
) -> list[Choice]:
    """The segments that go, oldest first and without a hole.

    Args:
        segments: all that are no longer written to, oldest first.
        limits: what they may hold together, and what is too old.
        keep_for: what was acknowledged, by each name for whom messages are kept.
    """
    total = sum(segment.bytes for segment in segments)
    chosen = []
    for segment in segments:
        waiting = tuple(name for name, seen in keep_for.items() if not _covers(seen, segment))
        too_old = segment.last_ns < limits.oldest_ns and not waiting
        if total <= limits.most_bytes and not too_old:
            break
        chosen.append(Choice(segment.number, segment.bytes, waiting))
        total -= segment.bytes
    return chosen


def _covers(acknowledged: Acknowledged, segment: Closed) -> bool:
    """Whether a name has acknowledged a segment: all of the kinds and cameras that it follows."""
    if segment.last is None or not acknowledged:
        return False
    followed = {(stream.camera, stream.kind) for stream in acknowledged}
    return all(
        acknowledged.get(stream, -1) >= last
        for stream, last in segment.last.items()
        if (stream.camera, stream.kind) in followed
    )
