"""Messages as they come: all of them, or always the newest."""

from __future__ import annotations

import logging
import time
from collections import deque
from typing import Any, Final

import zmq

from linescan.client.connection import Connection
from linescan.client.link import Link
from linescan.client.options import Options
from linescan.client.sequences import Sequences
from linescan.client.tally import Tally
from linescan.errors import ProtocolError
from linescan.protocol import (
    Buffer,
    EndEvent,
    EventMessage,
    Kind,
    Message,
    StartEvent,
    decode,
)

log = logging.getLogger(__name__)

DRAIN: Final = 1000
"""Most messages that are read ahead in search of the newest."""
DRAIN_WAIT_S: Final = 0.001
"""While messages are read, ZeroMQ's own thread fetches more: the moment to give it."""
DRAIN_S: Final = 0.02
"""Where messages come faster than that, the newest one after so long is new enough."""
REPORT_S: Final = 0.25
"""While reports are not answered, look after them so often."""


class Streaming:
    """The live stream of some kinds.

    Args:
        connection: the data socket.
        tally: counts and tells.
        kinds: what the application gets.
        options: how to receive; who has a name reports gaps.
        latest: skip to the newest message of each kind whenever several wait; events never skip.
    """

    def __init__(
        self,
        connection: Connection,
        tally: Tally,
        kinds: tuple[Kind, ...],
        options: Options,
        *,
        latest: bool,
    ) -> None:
        self._link: Link | None = None
        if options.name is not None:
            self._link = Link(connection, options.name, options.control, {})
        self._connection = connection
        self._tally = tally
        self._kinds = kinds
        self._latest = latest
        self._options = options
        self._sequences = Sequences((*kinds, Kind.EVENT))
        self._epoch = ""
        self._running: set[str] = set()
        self._over = False
        self._ready: deque[Message] = deque()
        self._newest: dict[object, tuple[Message, list[Buffer]]] = {}
        self._read_ahead = 0
        self._drain_since = 0.0

    @property
    def done(self) -> bool:
        """Whether all runs have ended and all was given."""
        return self._over and not self._ready and not self._newest

    @property
    def sockets(self) -> list[zmq.Socket[Any]]:
        """What to wait for."""
        control = None if self._link is None else self._link.control.socket
        return [self._connection.socket, *([] if control is None else [control])]

    @property
    def wait_s(self) -> float | None:
        """How long to wait at most."""
        if self._newest:
            return DRAIN_WAIT_S
        return None if self._link is None or self._link.settled else REPORT_S

    def acknowledge(self) -> None:
        """Nothing: the live stream is not acknowledged."""

    def close(self) -> None:
        """Leave."""
        if self._link is not None:
            self._link.control.close()

    def step(self) -> Message | None:
        """The next message, if it is there."""
        if not self._ready and not self._over:
            if self._latest:
                self._take_newest()
            else:
                self._take_next()
        if self._link is not None:
            self._report(self._link)
        return self._ready.popleft() if self._ready else None

    def _report(self, link: Link) -> None:
        """Tell the publisher of gaps."""
        now = time.monotonic()
        link.greeted()
        try:
            for reply in link.replies(now):
                log.debug("%s: reply to nothing asked", reply.name)
        except ProtocolError as error:
            link.fail(error)
        link.pump(now)

    def _take_next(self) -> None:
        while not self._ready and not self._over:
            frames = self._connection.read()
            if frames is None:
                return
            message = self._take(frames, verify=self._options.verify)
            if message is not None:
                self._offer(message)

    def _take_newest(self) -> None:
        """Read all that waits; once nothing comes any more, give the newest of it."""
        came = False
        if not self._newest:
            self._drain_since = time.monotonic()
        while self._read_ahead < DRAIN and not self._over:
            frames = self._connection.read()
            if frames is None:
                break
            came = True
            self._read_ahead += 1
            message = self._take(frames, verify=False)
            if message is not None:
                is_event = isinstance(message, EventMessage)
                key = self._read_ahead if is_event else (message.camera, message.kind)
                self._tally.skipped += self._newest.pop(key, None) is not None
                self._newest[key] = message, frames
        late = time.monotonic() - self._drain_since > DRAIN_S
        if not came or late or self._over or self._read_ahead == DRAIN:
            self._give_newest()

    def _give_newest(self) -> None:
        newest, self._newest, self._read_ahead = self._newest, {}, 0
        for message, frames in newest.values():
            if self._options.verify and not isinstance(message, EventMessage):
                try:
                    decode(frames)
                except ProtocolError as error:
                    self._tally.note_malformed(error)
                    continue
            self._offer(message)

    def _take(self, frames: list[Buffer], *, verify: bool) -> Message | None:
        """Decode a message and check its sequence number; None where it is malformed."""
        began = time.perf_counter_ns()
        try:
            message = decode(frames, verify=verify)
        except ProtocolError as error:
            self._tally.note_malformed(error)
            return None
        if message.kind in self._kinds:
            self._tally.receiving.add(time.perf_counter_ns() - began)
        for gap in self._sequences.note(message):
            self._tally.missed += gap.count
            self._tally.note_gap(gap)
            if self._link is not None:
                self._link.gap(gap)
        if self._sequences.restarts > self._tally.restarts:
            self._tally.note_restart(message.camera)
        self._note_run(message)
        return message

    def _note_run(self, message: Message) -> None:
        if message.epoch != self._epoch:  # a publisher that died ends nothing any more
            self._epoch = message.epoch
            self._running.clear()
        if isinstance(message, StartEvent):
            self._tally.start = message
        if isinstance(message, EndEvent):
            self._tally.end = message
            self._running.discard(message.camera)
            self._over = not self._options.follow and not self._running
        else:
            self._running.add(message.camera)

    def _offer(self, message: Message) -> None:
        if message.kind in self._kinds:
            self._ready.append(message)
