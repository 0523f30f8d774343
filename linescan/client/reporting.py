"""What a named subscriber tells the publisher: what it has processed, and what it missed."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping, MutableMapping
from typing import Final

from linescan.client.control import PAUSE_S, Control
from linescan.client.lanes import Stream
from linescan.client.replies import Reply
from linescan.client.sequences import Gap
from linescan.protocol.control import MAX_RUNS

log = logging.getLogger(__name__)

ACK_S: Final = 0.1
"""Acknowledgements are sent no more often than that."""
PASSING: Final = ("busy", "journal_failed")
"""Errors that may be over at the next attempt; what meets others is not sent again."""
MOST_GAPS: Final = 4096
"""Gaps that wait to be reported; beyond, the oldest are not."""


class Reporting:
    """Sends acknowledgements and gaps, each again until it is answered.

    Args:
        control: the control socket.
        name: of this subscriber.
    """

    def __init__(self, control: Control, name: str) -> None:
        self._control = control
        self._name = name
        self._gaps: deque[Gap] = deque(maxlen=MOST_GAPS)
        self._acking: dict[str, tuple[Stream, int]] = {}
        self._reporting: tuple[str, int] | None = None
        self._generation = 0
        self._due = 0.0

    @property
    def busy(self) -> bool:
        """Whether anything is to be sent, or waits for its reply."""
        return bool(self._acking or self._gaps)

    def gap(self, gap: Gap) -> None:
        """A gap to report."""
        self._gaps.append(gap)

    def pump(self, now: float, acks: Mapping[Stream, int]) -> None:
        """Send what is due."""
        if self._control.socket is None:
            return
        if self._control.generation != self._generation:
            self._generation = self._control.generation
            self._acking, self._reporting = {}, None
        if acks and not self._acking and now >= self._due:
            self._due = now + ACK_S
            for stream, seq in list(acks.items()):
                id_ = self._control.ask("ack", now, name=self._name, seq=seq, **_of(stream))
                self._acking[id_] = stream, seq
        if self._gaps and self._reporting is None:
            self._report(now)

    def answered(self, reply: Reply, now: float, acks: MutableMapping[Stream, int]) -> bool:
        """Take a reply, if it is to something sent from here."""
        if reply.id in self._acking:
            stream, seq = self._acking.pop(reply.id)
            if reply.error is not None:
                log.warning("acknowledgement of %s %d refused: %s", stream.kind, seq, reply.text)
                self._due = now + PAUSE_S
            if reply.error not in PASSING and acks.get(stream) == seq:
                del acks[stream]
        elif self._reporting is not None and reply.id == self._reporting[0]:
            if reply.error is not None:
                log.warning("report of gaps refused: %s", reply.text)
            for _ in range(min(self._reporting[1], len(self._gaps))):
                self._gaps.popleft()
            self._reporting = None
        else:
            return False
        self._control.settle(reply.id)
        return True

    def _report(self, now: float) -> None:
        """Report the first gaps of one stream together; a second report adds to the first."""
        first = self._gaps[0]
        runs: list[list[int]] = []
        count = 0
        for gap in self._gaps:
            at = runs[-1][0] + runs[-1][1] if runs else 0
            if _stream(gap) != _stream(first) or gap.first_seq < at or count == MAX_RUNS:
                break
            runs.append([gap.first_seq, gap.count])
            count += 1
        fields = {"name": self._name, "runs": runs, **_of(_stream(first))}
        self._reporting = self._control.ask("gaps", now, **fields), count


def _stream(gap: Gap) -> Stream:
    return Stream(gap.epoch, gap.camera, gap.kind)


def _of(stream: Stream) -> dict[str, str]:
    return {"epoch": stream.epoch, "camera": stream.camera, "kind": str(stream.kind)}
