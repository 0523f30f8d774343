"""The subscriber: results of a publisher as Python objects, and a report of what is missing.

    with Subscriber("tcp://127.0.0.1:5560") as results:
        for inspection in results:
            print(inspection.seq, inspection.depth.shape, inspection.objects)

Needs numpy and pyzmq alone.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Final

from linescan.client.connection import Connection
from linescan.client.sequences import Gap, Sequences
from linescan.errors import ProtocolError, SubscribeError
from linescan.latency import Latency
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

GAPS_KEPT: Final = 1000
"""Gaps that are kept one by one; all are counted."""
LOGGED: Final = 5
"""Troubles of one sort that are logged one by one; then every hundredth."""
DRAIN: Final = 1000
"""Most messages that are read ahead in search of the newest."""
DRAIN_WAIT_S: Final = 0.001
"""While messages are read, ZeroMQ's own thread fetches more: the moment to give it."""


class Subscriber:
    """Iterates over the messages of a publisher; reconnects by itself; for use in one thread.

    Iteration ends with the ``end`` event. Messages that do not follow the protocol are counted,
    logged and skipped.

    Args:
        endpoint: where the publisher is, for example ``tcp://127.0.0.1:5560``.
        kinds: what to receive: ``inspection``, ``depth.f32``, ``mask``, ``objects``, ``image``,
            ``event``. Events are always used for the bookkeeping but given only when named here.
        camera: whose messages; all cameras of the publisher where not given.
        latest: skip to the newest message of each kind whenever several wait; events never skip.
        timeout_s: raise ``TimeoutError`` when nothing came for so long; else wait for ever.
        follow: stay after the ``end`` event, for the next run.
        on_gap: called with each gap in the sequence numbers.
        verify: compare arrays with their checksums.

    Attributes:
        gaps: the last gaps.
        missed: messages that were published and did not arrive.
        skipped: messages that ``latest`` passed over.
        malformed: messages that do not follow the protocol.
        timeout_s: as given; may be changed between two messages.
        receiving: how long it takes to parse and check a message of the ``kinds``.
        start: the last ``start`` event.
        end: the last ``end`` event.

    Raises:
        SubscribeError: the endpoint, a kind or the name of the camera is wrong.
    """

    def __init__(
        self,
        endpoint: str,
        kinds: Iterable[str] = (Kind.INSPECTION,),
        *,
        camera: str | None = None,
        latest: bool = False,
        timeout_s: float | None = None,
        follow: bool = False,
        on_gap: Callable[[Gap], None] | None = None,
        verify: bool = True,
    ) -> None:
        self.endpoint = endpoint
        self.kinds = _check_kinds(kinds)
        self.gaps: deque[Gap] = deque(maxlen=GAPS_KEPT)
        self.missed = 0
        self.skipped = 0
        self.malformed = 0
        self.receiving = Latency()
        self.start: StartEvent | None = None
        self.end: EndEvent | None = None
        self._latest = latest
        self.timeout_s = timeout_s
        self._follow = follow
        self._on_gap = on_gap
        self._verify = verify
        self._sequences = Sequences((*self.kinds, Kind.EVENT))
        self._epoch = ""
        self._running: set[str] = set()
        self._ready: deque[Message] = deque()
        self._gaps_seen = 0
        self._done = False
        self._connection = Connection(endpoint, self.kinds, camera)

    @property
    def restarts(self) -> int:
        """How often the publisher was restarted in the meantime."""
        return self._sequences.restarts

    def __enter__(self) -> Subscriber:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Message]:
        return self

    def __next__(self) -> Message:
        """The next message.

        Raises:
            SubscribeTimeoutError: nothing came within ``timeout_s``; a ``TimeoutError``. Iteration
                can go on after it.
        """
        while not self._ready:
            if self._done or self._connection.closed:
                raise StopIteration
            frames = self._connection.receive(self.timeout_s)
            if self._latest:
                self._take_latest(frames)
            elif (message := self._take(frames, verify=self._verify)) is not None:
                self._offer(message)
        return self._ready.popleft()

    def close(self) -> None:
        """Leave; what was not read is dropped."""
        self._connection.close()

    def _take(self, frames: list[Buffer], *, verify: bool) -> Message | None:
        """Decode a message and check its sequence number; None where it is malformed."""
        began = time.perf_counter_ns()
        try:
            message = decode(frames, verify=verify)
        except ProtocolError as error:
            self._note_malformed(error)
            return None
        if message.kind in self.kinds:
            self.receiving.add(time.perf_counter_ns() - began)
        restarts = self.restarts
        for gap in self._sequences.note(message):
            self._note_gap(gap)
        if self.restarts > restarts:
            log.warning("%s: camera %s was restarted", self.endpoint, message.camera)
        self._note_run(message)
        return message

    def _note_run(self, message: Message) -> None:
        if message.epoch != self._epoch:  # a publisher that died ends nothing any more
            self._epoch = message.epoch
            self._running.clear()
        if isinstance(message, StartEvent):
            self.start = message
        if isinstance(message, EndEvent):
            self.end = message
            self._running.discard(message.camera)
            self._done = not self._follow and not self._running
        else:
            self._running.add(message.camera)

    def _offer(self, message: Message) -> None:
        if message.kind in self.kinds:
            self._ready.append(message)

    def _take_latest(self, frames: list[Buffer]) -> None:
        """Read all that waits; keep each event, and the newest message of each other kind."""
        newest: dict[object, tuple[Message, list[Buffer]]] = {}
        following: list[Buffer] | None = frames
        for n in range(DRAIN):
            if following is not None:
                message = self._take(following, verify=False)
                if message is not None:
                    is_event = isinstance(message, EventMessage)
                    key = n if is_event else (message.camera, message.kind)
                    self.skipped += newest.pop(key, None) is not None
                    newest[key] = message, following
            if self._done or not self._connection.wait(DRAIN_WAIT_S):
                break
            following = self._connection.read()
        for message, buffers in newest.values():
            if self._verify and not isinstance(message, EventMessage):
                try:
                    decode(buffers)
                except ProtocolError as error:
                    self._note_malformed(error)
                    continue
            self._offer(message)

    def _note_gap(self, gap: Gap) -> None:
        self.gaps.append(gap)
        self.missed += gap.count
        self._gaps_seen += 1
        if _is_worth_a_line(self._gaps_seen):
            log.warning("%s: %s", self.endpoint, gap)
        if self._on_gap is not None:
            self._on_gap(gap)

    def _note_malformed(self, error: ProtocolError) -> None:
        self.malformed += 1
        if _is_worth_a_line(self.malformed):
            log.warning("%s: message %d skipped: %s", self.endpoint, self.malformed, error)


def _is_worth_a_line(nth: int) -> bool:
    return nth <= LOGGED or nth % 100 == 0


def _check_kinds(kinds: Iterable[str]) -> tuple[Kind, ...]:
    if isinstance(kinds, str):
        kinds = (kinds,)
    try:
        checked = tuple(dict.fromkeys(Kind(kind) for kind in kinds))
    except ValueError:
        unknown = ", ".join(str(kind) for kind in kinds if kind not in list(Kind))
        raise SubscribeError(f"unknown kind {unknown}: choose from {', '.join(Kind)}") from None
    if not checked:
        raise SubscribeError(f"no kinds to subscribe to: choose from {', '.join(Kind)}")
    return checked
