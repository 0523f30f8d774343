"""The control and status sockets together, for use in the publisher's thread."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import zmq

from linescan.publishing.clerk import Clerk, log_failure
from linescan.publishing.connections import Flood
from linescan.publishing.control import Control
from linescan.publishing.curve import Gate, new_context
from linescan.publishing.endpoint import port_of
from linescan.publishing.published import Published
from linescan.publishing.reports import Reports
from linescan.publishing.router import Router
from linescan.publishing.status import PERIOD_S, Status
from linescan.publishing.store import KeptEpoch

BLOCKED_S: Final = 0.02
"""ZeroMQ does not tell when it has let go of a message: look again after so long."""
RECENT_S: Final = 30.0
"""At the end, subscribers heard of within so long are waited for."""
CLERK_S: Final = 5.0


class Desk:
    """What subscribers are told and may ask, beside the data.

    Args:
        control: where to bind the control socket; None for none.
        status: where to bind the status socket; None for none.
        published: what was published.
        limit_bytes: most memory for replies that subscribers have not fetched.
        figures: more for the status message.
        wake: wakes the publisher's thread.
        gate: lets in only those whose keys are allowed; without it, everybody.
    """

    def __init__(
        self,
        control: str | None,
        status: str | None,
        published: Published,
        limit_bytes: int,
        figures: Callable[[], dict[str, Any]],
        wake: Callable[[], None],
        gate: Gate | None = None,
    ) -> None:
        self._gate = gate
        self._published = published
        self._reports = Reports()
        self._figures = figures
        self._clerk = Clerk(wake)
        self._router = None if control is None else Router(control, limit_bytes)
        self._status = None if status is None else Status(status, published, self._reports)
        self._control: Control | None = None
        if self._router is not None:
            self._control = Control(self._router, published, self._reports, self._clerk, gate)
        self._flood: Flood | None = None
        self._looking = False
        self._more = False
        self._due_s = 0.0

    def open(self) -> None:
        """Bind.

        Raises:
            PublishError: an endpoint cannot be had.
        """
        self._context = new_context(self._gate)
        try:
            if self._router is not None:
                self._router.open(self._context)
            if self._status is not None:
                self._status.open(self._context)
        except BaseException:
            self._context.destroy(linger=0)
            raise
        self._clerk.start()

    @property
    def endpoints(self) -> dict[str, str | None]:
        """Where subscribers really connect, by name of the socket."""
        return {
            "control": self._router.endpoint if self._router else None,
            "status": self._status.endpoint if self._status else None,
        }

    @property
    def held_bytes(self) -> int:
        """Bytes of replies that subscribers have not fetched."""
        return self._router.held_bytes if self._router else 0

    def describe(self, **about: Any) -> None:
        """What ``describe`` says beside what is known here."""
        if self._control is not None:
            self._control.about = about

    def guard(self, endpoints: Iterable[str | None]) -> None:
        """Watch what comes to these endpoints, from now on."""
        self._flood = Flood({port for port in map(port_of, endpoints) if port})
        if self._router is not None:
            self._router.heard = self._flood.hear

    def register(self, poller: zmq.Poller) -> None:
        """Have requests wake the publisher."""
        if self._router is not None:
            poller.register(self._router.socket, zmq.POLLIN)

    def timeout_ms(self) -> int | None:
        """How long there is nothing to do unless something comes."""
        if self._more:
            return 0
        if self._status is None and self._control is None and self._flood is None:
            return None
        wait_s = self._due_s - time.monotonic()
        if self._control is not None and self._control.blocked:
            wait_s = min(wait_s, BLOCKED_S)
        return max(0, math.ceil(wait_s * 1000))

    def serve(self) -> None:
        """Answer what was asked, go on with replays, send the status where it is due."""
        if self._control is not None:
            self._more = self._control.serve()
            self._control.settle()
        if time.monotonic() >= self._due_s:
            self.report()

    def report(self) -> None:
        """Send the status now; the next one comes a period later."""
        self._due_s = time.monotonic() + PERIOD_S
        if self._flood is not None:
            self._flood.look()
        if self._control is not None:
            self._control.tidy()
        if self._status is None:
            return
        journalling = self._published.journalling
        self._status.send(
            endpoints=self.endpoints,
            journal={"state": "off"} if journalling is None else journalling.state(),
            replays=self._control.replays_running if self._control else 0,
            **self._figures(),
        )
        self._look(self._status)

    def wanted(self, since_s: float) -> bool:
        """Whether a subscriber that must not lose anything may still fetch something.

        Args:
            since_s: when the end of the run began, as ``time.monotonic`` has it.
        """
        if self._control is None or self._published.journalling is None:
            return False
        return bool(
            self._clerk.under_way
            or self._control.replays_running
            or self._reports.behind(self._published.last, RECENT_S)
            or self._control.unnamed_waits(since_s)
        )

    def close(self, linger_ms: int) -> None:
        """Release the endpoints."""
        self._clerk.close(CLERK_S)
        for part in (self._router, self._status):
            if part is not None:
                part.close(linger_ms)
        self._context.term()

    def _look(self, status: Status) -> None:
        """Have the clerk look what can be fetched, for the next status."""
        journalling = self._published.journalling
        if journalling is None or self._looking:
            return
        self._looking = True

        def seen(found: Sequence[KeptEpoch]) -> None:
            status.oldest = {
                stream: oldest for kept in found for stream, (oldest, _) in kept.streams.items()
            }
            self._looking = False

        def failed(error: Exception) -> None:
            log_failure("the journal cannot be read", error)
            status.oldest = {}
            self._looking = False

        self._clerk.submit(journalling.journal.epochs, seen, failed)
