"""Mode ``complete``: live messages and replays brought together; sockets around a ``Plan``."""

from __future__ import annotations

import logging
import time
from typing import Any, Final

import zmq

from linescan.client.connection import Connection, RefusedError
from linescan.client.control import PAUSE_S
from linescan.client.fetching import Fetching, size_of
from linescan.client.lanes import Held
from linescan.client.link import Link
from linescan.client.options import Options
from linescan.client.pace import Pace
from linescan.client.plan import Plan
from linescan.client.replies import Reply, decode_positions, decode_status
from linescan.client.sequences import Sequences
from linescan.client.sockets import beside
from linescan.client.status import StatusSocket
from linescan.client.tally import Tally
from linescan.errors import ProtocolError
from linescan.protocol import Buffer, EndEvent, Message, StartEvent, decode
from linescan.protocol.control import KEPT

log = logging.getLogger(__name__)

LIVE_READS: Final = 16
"""Live messages read between two that are given."""
TICK_S: Final = 0.25
"""Time passes also where nothing comes."""
CLOSE_S: Final = 2.0
"""At the end, how long the last acknowledgement may take."""
CLOSE_POLL_MS: Final = 20


class Complete:
    """Every inspection and event once, in order.

    Args:
        connection: the data socket.
        tally: counts and tells.
        plan: what to give and fetch.
        options: how to receive.
    """

    def __init__(
        self,
        connection: Connection,
        tally: Tally,
        plan: Plan,
        options: Options,
    ) -> None:
        self._connection = connection
        self._tally = tally
        self._plan = plan
        self._options = options
        self._link = Link(connection, options.name, options.control, plan.acks)
        self._generation = 0
        self._held: Held | None = None
        """The next message; it outlives a callback of the application that raises."""
        self._status = StatusSocket(connection.context, plan.camera, options.status)
        self._fetching = Fetching(self._link.control, plan, self._decode)
        self._positions: str | None = None
        self._retry_at = 0.0
        self._sequences = Sequences(KEPT)
        self._pace = Pace()
        self._ended: dict[str, str] = {}
        self._epochs: dict[str, str] = {}
        self._over_at: float | None = None

    @property
    def done(self) -> bool:
        """Whether all was given, and acknowledged if that could be had in time."""
        if self._over_at is None:
            return False
        return self._link.settled or time.monotonic() > self._over_at + CLOSE_S

    @property
    def sockets(self) -> list[zmq.Socket[Any]]:
        """What to wait for."""
        sockets = [self._connection.socket, self._link.control.socket, self._status.socket]
        return [sock for sock in sockets if sock is not None]

    @property
    def wait_s(self) -> float | None:
        """How long to wait at most."""
        return TICK_S

    def acknowledge(self) -> None:
        """The application is done with what it was given."""
        if self._held is None:
            self._plan.came_back()

    def step(self) -> Message | None:
        """The next message, if it is there."""
        self.acknowledge()
        now = time.monotonic()
        if self._over_at is None and not self._options.follow and self._plan.is_over(self._ended):
            self._over_at = now
        if self._over_at is None:
            self._held = self._held or self._plan.give()
            if self._held is None or self._plan.fetching:
                self._read_live(now)
        self._read_status(now)
        self._converse(now)
        if self._over_at is None:
            self._ask(now)
            self._held = self._held or self._plan.give()
        if self._held is None:
            return None
        message = self._note(self._held, now)
        self._held = None
        return message

    def close(self) -> None:
        """Send the last acknowledgements and leave."""
        end = time.monotonic() + CLOSE_S
        control = self._link.control
        while control.socket is not None and not self._link.settled and not control.silent:
            now = time.monotonic()
            if now > end:
                break
            self._converse(now)
            control.socket.poll(CLOSE_POLL_MS)
        control.close()
        self._status.close()

    def _note(self, held: Held, now: float) -> Message:
        """Take note of a message that is given."""
        message = held.message
        if self._epochs.setdefault(message.camera, message.epoch) != message.epoch:
            self._epochs[message.camera] = message.epoch
            self._tally.note_restart(message.camera)
        self._tally.fetched += held.fetched
        self._complain(self._pace.given(now, fetched=held.fetched))
        if isinstance(message, StartEvent):
            self._tally.start = message
        if isinstance(message, EndEvent):
            self._tally.end = message
            self._ended[message.camera] = message.epoch
        return message

    def _read_live(self, now: float) -> None:
        for _ in range(LIVE_READS):
            frames = self._connection.read()
            self._greet()
            if frames is None:
                for gap in self._plan.quiet(now):
                    self._link.gap(gap)
                return
            if self._connection.welcome is None and self._link.control.endpoint is None:
                self._do_without_journal("sends no greeting")
            message = self._decode(frames)
            if message is None:
                continue
            for gap in self._sequences.note(message):
                self._tally.note_gap(gap)
                self._link.gap(gap)
                self._complain(self._pace.gap(now, self._connection.greetings))
            self._plan.live(message, size_of(frames))
            if not self._plan.fetching:
                return  # more may wait in the socket

    def _complain(self, reason: str | None) -> None:
        if reason is not None:
            self._tally.note_slow(reason)

    def _decode(self, frames: list[Buffer]) -> Message | None:
        began = time.perf_counter_ns()
        try:
            message = decode(frames, verify=self._options.verify)
        except ProtocolError as error:
            self._tally.note_malformed(error)
            return None
        self._tally.receiving.add(time.perf_counter_ns() - began)
        return message

    def _greet(self) -> None:
        """After a new connection, the publisher may be another."""
        welcome = self._connection.welcome
        if welcome is None or not self._link.greeted():
            return
        if welcome.status is not None:
            self._status.offer(beside(self._connection.endpoint, welcome.status))
        if self._link.control.endpoint is None:
            self._do_without_journal("has no control socket")
        elif welcome.epoch not in self._plan.epochs:
            self._plan.stale = True

    def _do_without_journal(self, why: str) -> None:
        if self._plan.journal is not False:
            log.warning(
                "%s %s: what is missed cannot be fetched, and is reported",
                self._connection.endpoint,
                why,
            )
        self._plan.without_journal()

    def _read_status(self, now: float) -> None:
        while (frames := self._status.read()) is not None:
            try:
                self._plan.status(decode_status(frames), now)
            except ProtocolError as error:
                self._tally.note_malformed(error)

    def _converse(self, now: float) -> None:
        """Take the replies that have come."""
        try:
            for reply in self._link.replies(now):
                if self._link.generation == self._generation:
                    self._take(reply, now)
        except ProtocolError as error:
            self._tally.malformed += 1
            self._link.fail(error)
            self._retry_at = now + PAUSE_S
        self._link.pump(now)
        if self._link.generation != self._generation:  # nothing is under way any more
            self._generation = self._link.generation
            self._fetching.forget()
            self._positions = None

    def _ask(self, now: float) -> None:
        """Send what is due."""
        control = self._link.control
        if control.socket is None:
            return
        self._fetching.pay(now)
        if now < self._retry_at:
            return
        if not self._plan.stale:
            self._fetching.ask(now)
        elif self._positions is None:
            name = {} if self._options.name is None else {"name": self._options.name}
            self._positions = control.ask("positions", now, **name)

    def _take(self, reply: Reply, now: float) -> None:
        if reply.id == self._positions:
            self._positions = None
            self._link.control.settle(reply.id)
            if reply.error is not None:
                self._refused(reply, now)
            else:
                self._place(reply, now)
        elif reply.id in self._fetching and not self._fetching.take(reply):
            if reply.error == "no_journal":
                self._do_without_journal("keeps no journal")
            else:
                self._refused(reply, now)

    def _place(self, reply: Reply, now: float) -> None:
        self._plan.place(decode_positions(reply.fields))
        if self._plan.stale:  # it does not name an epoch that was heard of
            self._retry_at = now + PAUSE_S

    def _refused(self, reply: Reply, now: float) -> None:
        level = logging.DEBUG if reply.error == "busy" else logging.WARNING
        endpoint = self._link.control.endpoint
        self._retry_at = now + PAUSE_S
        if reply.error == "not_allowed":
            raise RefusedError(f"the publisher at {endpoint} does not serve you: {reply.text}")
        log.log(level, "%s: %s refused: %s", endpoint, reply.name, reply.text)
