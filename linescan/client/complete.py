"""Mode ``complete``: live messages and replays brought together; sockets around a ``Plan``."""

from __future__ import annotations

import logging
import time
from typing import Any, Final

import zmq

from linescan.client.connection import Connection
from linescan.client.control import PAUSE_S, Control
from linescan.client.lanes import Fetch, Held
from linescan.client.pace import Pace
from linescan.client.plan import Plan
from linescan.client.replies import Reply, decode_positions, decode_runs, decode_status
from linescan.client.reporting import Reporting
from linescan.client.sequences import Sequences
from linescan.client.sockets import beside, new_socket
from linescan.client.tally import Tally
from linescan.errors import ProtocolError
from linescan.protocol import Buffer, EndEvent, Message, StartEvent, decode
from linescan.protocol.control import KEPT, status_topic
from linescan.protocol.topics import ROOT

log = logging.getLogger(__name__)

LIVE_READS: Final = 16
"""Live messages read between two that are given."""
STATUS_MARK: Final = 16
TICK_S: Final = 0.25
"""Time passes also where nothing comes."""
CLOSE_S: Final = 2.0
"""At the end, how long the last acknowledgement may take."""


class Complete:
    """Every inspection and event once, in order.

    Args:
        connection: the data socket.
        tally: counts and tells.
        plan: what to give and fetch.
        name: acknowledge under it; None does not acknowledge.
        control: endpoint of the control socket; None takes it from the greeting.
        status: endpoint of the status socket; None takes it from the greeting.
        verify: compare arrays with their checksums.
        follow: stay after the end of the newest run.
    """

    def __init__(
        self,
        connection: Connection,
        tally: Tally,
        plan: Plan,
        *,
        name: str | None,
        control: str | None,
        status: str | None,
        verify: bool,
        follow: bool,
    ) -> None:
        self._connection = connection
        self._tally = tally
        self._plan = plan
        self._name = name
        self._given_control, self._given_status = control, status
        self._verify = verify
        self._follow = follow
        self._control = Control(connection.context)
        self._reporting = None if name is None else Reporting(self._control, name)
        self._status: zmq.Socket[Any] | None = None
        self._status_at: str | None = None
        self._fetches: dict[str, Fetch] = {}
        self._positions: str | None = None
        self._retry_at = 0.0
        self._sequences = Sequences(KEPT)
        self._pace = Pace()
        self._ended: dict[str, str] = {}
        self._epochs: dict[str, str] = {}
        self._over_at: float | None = None
        self._greetings = 0
        if control is not None:
            self._control.connect(control)
        if status is not None:
            self._watch(status)

    @property
    def done(self) -> bool:
        """Whether all was given, and acknowledged if that could be had in time."""
        if self._over_at is None:
            return False
        settled = self._reporting is None or not (self._plan.acks or self._reporting.busy)
        return settled or time.monotonic() > self._over_at + CLOSE_S

    @property
    def sockets(self) -> list[zmq.Socket[Any]]:
        """What to wait for."""
        sockets = [self._connection.socket, self._control.socket, self._status]
        return [sock for sock in sockets if sock is not None]

    @property
    def wait_s(self) -> float | None:
        """How long to wait at most."""
        return TICK_S

    def acknowledge(self) -> None:
        """The application is done with what it was given."""
        self._plan.came_back()

    def step(self) -> Message | None:
        """The next message, if it is there."""
        self._plan.came_back()
        now = time.monotonic()
        if self._over_at is None:
            held = self._plan.give()
            if held is None or self._plan.fetching:
                self._read_live(now)
        self._read_status(now)
        self._converse(now)
        if self._over_at is None:
            held = held or self._plan.give()
            if held is not None:
                return self._give(held, now)
        return None

    def close(self) -> None:
        """Send the last acknowledgements and leave."""
        end = time.monotonic() + CLOSE_S
        while self._reporting is not None and (self._plan.acks or self._reporting.busy):
            now = time.monotonic()
            if self._control.socket is None or now > end or self._control.silent:
                break
            self._converse(now, closing=True)
            self._control.socket.poll(20)
        self._control.close()
        if self._status is not None:
            self._status.close(linger=0)

    def _give(self, held: Held, now: float) -> Message:
        message = held.message
        before = self._epochs.get(message.camera)
        if before not in (None, message.epoch):
            self._tally.note_restart(message.camera)
        self._epochs[message.camera] = message.epoch
        self._tally.fetched += held.fetched
        slow = self._pace.given(now, fetched=held.fetched)
        if slow is not None:
            self._tally.note_slow(slow)
        if isinstance(message, StartEvent):
            self._tally.start = message
        if isinstance(message, EndEvent):
            self._tally.end = message
            self._ended[message.camera] = message.epoch
            if not self._follow and self._plan.is_over(self._ended):
                self._over_at = now
        return message

    def _read_live(self, now: float) -> None:
        for _ in range(LIVE_READS):
            frames = self._connection.read()
            self._greet()
            if frames is None:
                return
            message = self._decode(frames)
            if message is None:
                continue
            for gap in self._sequences.note(message):
                self._tally.note_gap(gap)
                if self._reporting is not None:
                    self._reporting.gap(gap)
                slow = self._pace.gap(now, self._connection.greetings)
                if slow is not None:
                    self._tally.note_slow(slow)
            self._plan.live(message, _size(frames))
            if not self._plan.fetching:
                return  # more may wait in the socket

    def _decode(self, frames: list[Buffer]) -> Message | None:
        began = time.perf_counter_ns()
        try:
            message = decode(frames, verify=self._verify)
        except ProtocolError as error:
            self._tally.note_malformed(error)
            return None
        self._tally.receiving.add(time.perf_counter_ns() - began)
        return message

    def _greet(self) -> None:
        """After a new connection, the publisher may be another."""
        welcome = self._connection.welcome
        if welcome is None or self._connection.greetings == self._greetings:
            return
        self._greetings = self._connection.greetings
        control, status = self._given_control, self._given_status
        data = self._connection.endpoint
        if control is None and welcome.control is not None:
            control = beside(data, welcome.control)
        if status is None and welcome.status is not None:
            status = beside(data, welcome.status)
        if control is None:
            log.warning(
                "%s has no control socket: what is missed cannot be fetched, and is reported", data
            )
            self._plan.without_journal()
        elif control != self._control.endpoint or welcome.epoch not in self._plan.epochs:
            self._control.connect(control)
            self._forget()
            self._plan.stale = True
        if status is not None and status != self._status_at:
            self._watch(status)

    def _watch(self, endpoint: str) -> None:
        if self._status is not None:
            self._status.close(linger=0)
        self._status_at = endpoint
        self._status = new_socket(self._connection.context, zmq.SUB, mark=STATUS_MARK)
        camera = self._plan.camera
        self._status.subscribe(ROOT if camera is None else status_topic(camera))
        self._status.connect(endpoint)

    def _read_status(self, now: float) -> None:
        while self._status is not None:
            try:
                parts = self._status.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            try:
                self._plan.status(decode_status([part.buffer for part in parts]), now)
            except ProtocolError as error:
                self._tally.note_malformed(error)

    def _converse(self, now: float, *, closing: bool = False) -> None:
        """Take the replies that have come, and send what is due."""
        while True:
            try:
                reply = self._control.read(now)
                if reply is None:
                    break
                self._take(reply, now)
            except ProtocolError as error:
                self._tally.malformed += 1
                self._control.answer_badly(error)
                self._forget()
                self._retry_at = now + PAUSE_S
                break
        if self._control.renew(now):
            self._forget()
        if self._control.socket is None:
            return
        if self._reporting is not None:
            self._reporting.pump(now, self._plan.acks)
        else:
            self._plan.acks.clear()
        if not closing:
            self._ask(now)

    def _ask(self, now: float) -> None:
        for fetch in list(self._fetches.values()):
            if 2 * fetch.owed >= fetch.credit:
                self._control.tell("credit", fetch.id, n=fetch.owed)
                fetch.owed = 0
        if now < self._retry_at or self._over_at is not None:
            return
        if self._plan.stale:
            if self._positions is None:
                name = {} if self._name is None else {"name": self._name}
                self._positions = self._control.ask("positions", now, **name)
            return
        for stream, first, last in self._plan.wanted(now):
            credit = self._plan.credit()
            id_ = self._control.ask(
                "replay",
                now,
                epoch=stream.epoch,
                camera=stream.camera,
                kind=str(stream.kind),
                first=first,
                last=last,
                credit=credit,
            )
            fetch = Fetch(id_, stream, first, last, credit, expected=first)
            self._fetches[id_] = fetch
            self._plan.begin_fetch(fetch)

    def _take(self, reply: Reply, now: float) -> None:
        if self._reporting is not None and self._reporting.answered(reply, now, self._plan.acks):
            return
        fetch = self._fetches.get(reply.id)
        if reply.id == self._positions:
            self._positions = None
            self._control.settle(reply.id)
            if reply.error is None:
                self._plan.place(decode_positions(reply.fields))
                # An epoch that the reply does not name yet: ask again, but not at once.
                self._retry_at = now + PAUSE_S if self._plan.stale else 0.0
            else:
                self._refused(reply, now)
        elif fetch is not None:
            self._take_replay(fetch, reply, now)
        elif reply.error is None and reply.name == "replay" and reply.frames:
            self._control.tell("cancel", reply.id)

    def _take_replay(self, fetch: Fetch, reply: Reply, now: float) -> None:
        if reply.error is not None:
            self._end(fetch)
            gone = reply.error == "unknown_stream"
            self._plan.close_fetch(fetch, [(fetch.expected, fetch.last + 1)] if gone else ())
            if reply.error == "no_journal":
                log.warning("%s: %s", self._control.endpoint, reply.text)
                self._plan.without_journal()
            elif not gone:
                self._refused(reply, now)
        elif reply.fields.boolean("more"):
            self._take_replayed(fetch, reply)
        else:
            runs = decode_runs(reply.fields, "expired", fetch.first, fetch.last)
            if not runs and fetch.expected == fetch.first:
                self._retry_at = now + PAUSE_S  # neither messages nor a word about them
            self._end(fetch)
            self._plan.close_fetch(fetch, runs)

    def _take_replayed(self, fetch: Fetch, reply: Reply) -> None:
        seq = reply.fields.integer("seq", low=fetch.expected, high=fetch.last)
        frames = list(reply.frames)
        message = self._decode(frames)
        if message is None:
            self._plan.unusable(fetch, seq)
            return
        found = (message.epoch, message.camera, message.kind, message.seq)
        if found != (*fetch.stream, seq):
            raise ProtocolError(f"replay of {fetch.stream} {seq} carries {found}")
        self._plan.replayed(fetch, message, _size(frames))

    def _end(self, fetch: Fetch) -> None:
        del self._fetches[fetch.id]
        self._control.settle(fetch.id)

    def _refused(self, reply: Reply, now: float) -> None:
        log.log(
            logging.DEBUG if reply.error == "busy" else logging.WARNING,
            "%s refuses %s: %s",
            self._control.endpoint,
            reply.name,
            reply.text,
        )
        self._retry_at = now + PAUSE_S

    def _forget(self) -> None:
        """The connection is new: nothing is under way."""
        self._fetches.clear()
        self._positions = None
        self._plan.drop_fetches()


def _size(frames: list[Buffer]) -> int:
    return sum(memoryview(frame).nbytes for frame in frames)
