"""Plans, and messages for them, without sockets."""

from __future__ import annotations

from collections.abc import Iterable

from linescan.client.lanes import Fetch, Stream
from linescan.client.plan import Plan
from linescan.client.replies import EpochEntry, Positions
from linescan.client.sequences import Gap
from linescan.client.starting import Since
from linescan.protocol import Kind, Message, Stamp, decode, encode_end, encode_loss, encode_start
from linescan.records import Cause, Loss
from tests.client.helpers import TOTALS, message
from tests.protocol.samples import as_received

INSPECTION, EVENT = Kind.INSPECTION, Kind.EVENT
SIZE = 1000
Ends = dict[Kind, tuple[int | None, int]]


def inspection(seq: int, epoch: str = "e", at: int = 1) -> Message:
    frames = message(seq, epoch=epoch)
    frames[1] = bytes(frames[1]).replace(b'"published_ns":"1"', f'"published_ns":"{at}"'.encode())
    return decode(frames)


def loss(seq: int, epoch: str = "e", at: int = 1) -> Message:
    stamp = Stamp("web-1", epoch, seq, at)
    return decode(as_received(encode_loss(Loss(seq, 1, Cause.SHUTDOWN), stamp)))


def start(epoch: str = "e") -> Message:
    stamp = Stamp("web-1", epoch, 0, 0)
    frames = encode_start(stamp, software="s", settings={}, settings_sha256="0")
    return decode(as_received(frames))


def end(seq: int, last_seq: int, epoch: str = "e") -> Message:
    stamp = Stamp("web-1", epoch, seq, 1)
    frames = encode_end(stamp, totals=TOTALS, last_seq=last_seq, reason="finished")
    return decode(as_received(frames))


class Desk:
    """A plan, and what it reports."""

    def __init__(
        self, since: Since = Since.OLDEST, camera: str | None = None, budget: int = 1 << 20
    ) -> None:
        self.expired: list[Gap] = []
        self.plan = Plan(camera, since, budget, self.expired.append)

    def place(
        self,
        *epochs: tuple[str, Ends],
        acknowledged: dict[Stream, int] | None = None,
        current: str | None = None,
    ) -> None:
        current = current or epochs[-1][0]
        entries = [
            EpochEntry(
                epoch,
                epoch == current,
                {("web-1", kind): ends for kind, ends in streams.items()},
            )
            for epoch, streams in epochs
        ]
        self.plan.place(Positions(entries, acknowledged or {}))

    def live(self, *messages: Message) -> None:
        for received in messages:
            self.plan.live(received, SIZE)

    def give(self) -> list[tuple[str, Kind, int]]:
        """All that can be given now, with the application coming back after each."""
        given = []
        while (held := self.plan.give()) is not None:
            given.append((held.message.epoch, held.message.kind, held.message.seq))
            self.plan.came_back()
        return given

    def seqs(self) -> list[int]:
        return [seq for _, _, seq in self.give()]

    def wanted(self) -> list[tuple[str, Kind, int, int]]:
        return [(s.epoch, s.kind, a, b) for s, a, b in self.plan.wanted()]

    def fetch(self, stream: Stream, first: int, last: int) -> Fetch:
        fetch = Fetch("1-1", stream, first, last, 4, expected=first, due=4)
        self.plan.begin_fetch(fetch)
        return fetch

    def replay(
        self, fetch: Fetch, seqs: Iterable[int], expired: Iterable[tuple[int, int]] = ()
    ) -> None:
        for seq in seqs:
            make = inspection if fetch.stream.kind is INSPECTION else loss
            self.plan.replayed(fetch, make(seq, fetch.stream.epoch), SIZE)
        self.plan.close_fetch(fetch, expired)


INSPECTIONS = Stream("e", "web-1", INSPECTION)
