"""What was published so far: the last numbers, the newest messages, what the journal has."""

from __future__ import annotations

from collections.abc import Sequence

from linescan.protocol import Buffer, Kind, Stamp
from linescan.publishing.journalling import Journalling
from linescan.publishing.store import Kept, Stream


class Published:
    """The publisher's own account of its streams, for use in its thread.

    Args:
        epoch: of this start.
        started_ns: host time of this start.
        cameras: whose messages are published.
        journalling: keeps messages; None without a journal.
    """

    def __init__(
        self,
        epoch: str,
        started_ns: int,
        cameras: Sequence[str],
        journalling: Journalling | None,
    ) -> None:
        self.epoch = epoch
        self.started_ns = started_ns
        self.cameras = tuple(cameras)
        self.journalling = journalling
        self.last: dict[Stream, int] = {}
        self.newest: dict[Stream, Kept] = {}

    def note(self, stamp: Stamp, kind: Kind, message: Sequence[Buffer]) -> bool:
        """Take note of a message that is about to be sent; whether the journal has it."""
        stream = Stream(stamp.epoch, stamp.camera, kind)
        self.last[stream] = stamp.seq
        self.newest[stream] = Kept(stamp.seq, message)
        if self.journalling is None:
            return False
        return self.journalling.append(stream, stamp.seq, stamp.published_ns, message)

    def durable(self, stream: Stream) -> int | None:
        """Up to which number the journal holds a stream for good."""
        return None if self.journalling is None else self.journalling.durable.get(stream)
