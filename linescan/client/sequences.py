"""Gaps in sequence numbers: what was published and did not arrive."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from linescan.protocol import EndEvent, Kind, Message, StartEvent


@dataclass(frozen=True, slots=True)
class Gap:
    """Messages of one topic that did not arrive: ``count`` from ``first_seq`` on."""

    camera: str
    kind: Kind
    epoch: str
    first_seq: int
    count: int

    def __str__(self) -> str:
        last = self.first_seq + self.count - 1
        span = f"{self.first_seq}" if self.count == 1 else f"{self.first_seq} to {last}"
        return f"{self.camera}/{self.kind}: {self.count} missing, sequence numbers {span}"


@dataclass(slots=True)
class _Run:
    """What is known about one camera's run: an epoch, and the next number of each kind."""

    epoch: str
    from_start: bool = False
    following: dict[Kind, int] = field(default_factory=dict)


class Sequences:
    """Checks the sequence numbers of each camera and kind.

    Numbers begin at 0 with each epoch. Who comes late misses what was before without a gap; who
    saw ``start`` expects everything from 0 on. The ``end`` event tells the last number, so that
    also the loss of the last messages is seen. A new epoch is a restart of the publisher.

    Args:
        kinds: kinds that are subscribed to.
    """

    def __init__(self, kinds: Iterable[Kind]) -> None:
        self.restarts = 0
        self._kinds = frozenset(kinds)
        self._runs: dict[str, _Run] = {}

    def note(self, message: Message) -> list[Gap]:
        """Take note of a message that has come; the gaps that it reveals."""
        run = self._runs.get(message.camera)
        if run is None or run.epoch != message.epoch:
            self.restarts += run is not None
            run = self._runs[message.camera] = _Run(message.epoch)
        gaps = self._check(run, message, message.kind, message.seq)
        if isinstance(message, StartEvent):
            run.from_start = True
        if isinstance(message, EndEvent) and message.last_seq is not None:
            for kind in sorted(self._kinds - {Kind.EVENT}):
                if kind in run.following or (run.from_start and kind is Kind.INSPECTION):
                    gaps += self._check(run, message, kind, message.last_seq + 1)
        return gaps

    def _check(self, run: _Run, message: Message, kind: Kind, seq: int) -> list[Gap]:
        """Note that ``seq`` has come; for a data kind of an ``end``, that all before it were."""
        from_zero = run.from_start and kind is not Kind.EVENT
        following = run.following.get(kind, 0 if from_zero else seq)
        is_last = kind is not message.kind
        run.following[kind] = max(following, seq if is_last else seq + 1)
        if seq <= following:
            return []
        return [Gap(message.camera, kind, message.epoch, following, seq - following)]
