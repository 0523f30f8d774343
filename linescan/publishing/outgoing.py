"""What is handed to the publisher, and its way into the journal and the data socket."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from linescan.latency import Latency
from linescan.protocol import Buffer, Kind, Stamp
from linescan.publishing.budget import MemoryBudget
from linescan.publishing.outlet import Outlet
from linescan.publishing.published import Published

log = logging.getLogger(__name__)


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Messages that belong together, and what to do once the socket took the first of them.

    The first one matters; the others are derived from it. Both callbacks are called in the
    publisher's thread; exactly one of them is, once: ``on_failed`` also where the memory budget has
    no room for the first one, unless the journal has it. ``sending`` is told how long handing the
    messages to ZeroMQ took. ``stamp`` and ``kind`` are those of the first one; without them it is
    neither kept nor found by number.
    """

    messages: Sequence[Sequence[Buffer]]
    on_sent: Callable[[], None] = _nothing
    on_failed: Callable[[], None] = _nothing
    sending: Latency = field(default_factory=Latency)
    stamp: Stamp | None = None
    kind: Kind = Kind.INSPECTION


class Sender:
    """Appends, then publishes; for use in the publisher's thread.

    Args:
        published: takes note of what is sent, and keeps it where there is a journal.
        budget: the memory for messages that subscribers have not fetched.

    Attributes:
        no_room: messages dropped for everybody because the budget had no room for them.
    """

    def __init__(self, published: Published, budget: MemoryBudget) -> None:
        self.no_room = 0
        self._published = published
        self._budget = budget

    def send(self, outlet: Outlet, outgoing: Outgoing) -> None:
        """Send messages that belong together, and call one of their callbacks."""
        began = time.perf_counter_ns()
        try:
            sent = self._send_first(outlet, outgoing)
        except BaseException:
            outgoing.on_failed()
            raise
        (outgoing.on_sent if sent else outgoing.on_failed)()
        for message in outgoing.messages[1:]:
            self._send_one(outlet, message)
        outgoing.sending.add(time.perf_counter_ns() - began)

    def _send_first(self, outlet: Outlet, outgoing: Outgoing) -> bool:
        """Whether subscribers can have the message, now or from the journal."""
        if not outgoing.messages:
            return True
        message, kept = outgoing.messages[0], False
        if outgoing.stamp is not None:
            kept = self._published.note(outgoing.stamp, outgoing.kind, message)
        return self._send_one(outlet, message) or kept

    def _send_one(self, outlet: Outlet, message: Sequence[Buffer]) -> bool:
        if outlet.send(message):
            return True
        self.no_room += 1
        if self.no_room == 1 or self.no_room % 100 == 0:
            log.error(
                "%s: a message of %d MB has no room in publish.memory_mb: %d and is dropped; set it"
                " higher (%d so far)",
                bytes(message[0]).decode(),
                sum(memoryview(part).nbytes for part in message) >> 20,
                self._budget.memory_mb,
                self.no_room,
            )
        return False
