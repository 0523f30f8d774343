"""One stream as mode ``complete`` sees it: what was given, what waits, what is being fetched."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from linescan.client.sequences import Gap
from linescan.protocol import Kind, Message


class Stream(NamedTuple):
    """Messages that share a numbering, from 0 without holes."""

    epoch: str
    camera: str
    kind: Kind


class Held(NamedTuple):
    """A message that waits to be given, its bytes, and whether it came from the journal."""

    message: Message
    size: int
    fetched: bool


@dataclass(slots=True)
class Fetch:
    """A replay that is under way: of ``first`` to ``last``, the next is to be ``expected``.

    ``due`` counts messages that the publisher may still send, ``owed`` those that were consumed and
    not yet granted anew.
    """

    id: str
    stream: Stream
    first: int
    last: int
    credit: int
    expected: int
    due: int = 0
    owed: int = 0

    def received(self, seq: int) -> None:
        """A message has come."""
        self.expected = seq + 1
        self.due -= 1


@dataclass(slots=True)
class Lane:
    """One stream, from the next number to give up to the highest known.

    Attributes:
        following: the next number to give; all below were given or have expired.
        end: one above the highest number known to exist.
        waiting: messages that were received and not yet given.
        fetch: the replay that is under way.
        claim: end as the status said it, and since when.
        from_start: the first message that came was the ``start`` of its epoch.
    """

    stream: Stream
    following: int = 0
    end: int = 0
    waiting: dict[int, Held] = field(default_factory=dict)
    fetch: Fetch | None = None
    claim: tuple[int, float] | None = None
    from_start: bool = False
    _gone: list[tuple[int, int]] = field(default_factory=list)

    @property
    def head(self) -> Held | None:
        """The next message, where it is there."""
        return self.waiting.get(self.following)

    @property
    def behind(self) -> bool:
        """Whether the next message exists and is not there."""
        return self.following < self.end and self.following not in self.waiting

    def has(self, seq: int) -> bool:
        """Whether a number was given, has expired or waits."""
        return seq < self.following or seq in self.waiting

    def missing(self) -> tuple[int, int] | None:
        """First and last number of the next run to fetch."""
        if not self.behind:
            return None
        after = min((seq for seq in self.waiting if seq > self.following), default=self.end)
        return self.following, min(after, self.end) - 1

    def take(self) -> Held:
        """Give the next message."""
        held = self.waiting.pop(self.following)
        self.following += 1
        if held.fetched and self.fetch is not None:
            self.fetch.owed += 1
        return held

    def extend(self, end: int) -> None:
        """All numbers below ``end`` exist."""
        self.end = max(self.end, end)

    def lose(self, runs: Iterable[tuple[int, int]]) -> None:
        """Runs of ``(first, end)`` can never be had."""
        self._gone = sorted({*self._gone, *runs})

    def lose_missing(self) -> None:
        """What is missing before the next message that waits can never be had."""
        run = self.missing()
        if run is not None:
            self.lose([(run[0], run[1] + 1)])

    def skip(self) -> list[Gap]:
        """Pass over what can never be had; what was passed over."""
        passed: list[Gap] = []
        while self.behind:
            run = next((r for r in self._gone if r[0] <= self.following < r[1]), None)
            if run is None:
                break
            end = min([run[1], self.end, *(seq for seq in self.waiting if seq > self.following)])
            camera, kind, epoch = self.stream.camera, self.stream.kind, self.stream.epoch
            passed.append(Gap(camera, kind, epoch, self.following, end - self.following))
            self.following = end
        self._gone = [run for run in self._gone if run[1] > self.following]
        return passed
