"""The way to the publisher's control socket, kept up through its restarts."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from linescan.client.connection import Connection
from linescan.client.control import Control
from linescan.client.lanes import Stream
from linescan.client.replies import Reply
from linescan.client.reporting import Reporting
from linescan.client.sequences import Gap
from linescan.client.sockets import beside
from linescan.errors import ProtocolError

log = logging.getLogger(__name__)


class Link:
    """Requests and replies; acknowledgements and gaps are reported under a name, if there is one.

    Args:
        connection: the data socket, whose greetings name the control socket.
        name: of this subscriber; None reports nothing.
        control: endpoint of the control socket, where it is not to be taken from the greeting.

    Attributes:
        control: the control socket.
        acks: up to which number each stream is processed and not yet acknowledged.
        generation: counts connections; requests of earlier ones are forgotten.

    Raises:
        SubscribeError: ``control`` is no endpoint.
    """

    def __init__(
        self, connection: Connection, name: str | None, control: str | None, acks: dict[Stream, int]
    ) -> None:
        self.control = Control(connection.context)
        self.acks = acks
        self._connection = connection
        self._given = control
        self._reporting = None if name is None else Reporting(self.control, name)
        self._greetings = 0
        if control is not None:
            self.control.connect(control)

    @property
    def generation(self) -> int:
        """Counts connections; requests of earlier ones are forgotten."""
        return self.control.generation

    @property
    def settled(self) -> bool:
        """Whether all that was to be reported is."""
        return self._reporting is None or not (self.acks or self._reporting.busy)

    def greeted(self) -> bool:
        """Whether a new connection was greeted: the publisher may be another one."""
        welcome = self._connection.welcome
        if welcome is None or self._connection.greetings == self._greetings:
            return False
        self._greetings = self._connection.greetings
        endpoint = self._given
        if endpoint is None and welcome.control is not None:
            endpoint = beside(self._connection.endpoint, welcome.control)
        if endpoint is not None:
            self.control.connect(endpoint)
        else:
            self.control.close()
        return True

    def gap(self, gap: Gap) -> None:
        """Report a gap."""
        if self._reporting is not None:
            self._reporting.gap(gap)

    def replies(self, now: float) -> Iterator[Reply]:
        """Replies that have come to requests not made here.

        Raises:
            ProtocolError: what came is no reply; ``fail`` begins anew.
        """
        while (reply := self.control.read(now)) is not None:
            if self._reporting is None or not self._reporting.answered(reply, now, self.acks):
                yield reply

    def fail(self, error: ProtocolError) -> None:
        """What came is no reply of this protocol: begin anew."""
        self.control.answer_badly(error)

    def pump(self, now: float) -> None:
        """Make the connection anew where replies are overdue, and report what is due."""
        self.control.renew(now)
        if self._reporting is not None:
            self._reporting.pump(now, self.acks)
        else:
            self.acks.clear()
