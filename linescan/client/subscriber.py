"""The subscriber: results of a publisher as Python objects, and a report of what is missing.

    with Subscriber("tcp://127.0.0.1:5560") as results:
        for inspection in results:
            print(inspection.seq, inspection.depth.shape, inspection.objects)

Needs numpy and pyzmq alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from types import TracebackType
from typing import Final

import zmq

from linescan.client.complete import Complete
from linescan.client.connection import Connection, SubscribeTimeoutError
from linescan.client.curve import ClientKeys
from linescan.client.modes import Mode, check_kinds, check_mode
from linescan.client.options import Options
from linescan.client.plan import Plan
from linescan.client.starting import Since
from linescan.client.streaming import Streaming
from linescan.client.tally import OnGap, OnSlow, Tally
from linescan.errors import ProtocolError, SubscribeError
from linescan.protocol import Message
from linescan.protocol.control import KEPT, check_name

BUFFER_MB: Final = 256


class Subscriber(Tally):
    """Iterates over the messages of a publisher; reconnects by itself; for use in one thread.

    ``for`` and ``async for`` both work. Iteration ends with the ``end`` event. Messages that do not
    follow the protocol are counted, logged and skipped.

    Modes:

    - ``stream``: every message that arrives, in order; gaps are reported.
    - ``live``: skips to the newest message of each kind whenever several wait; events never skip.
    - ``objects``: the objects of every frame that arrives; no arrays travel.
    - ``complete``: every inspection and event exactly once, in order, also over restarts of the
      publisher. What the live stream lost, or what was before this subscriber came, is fetched from
      the publisher's journal; what is not there any more is reported as expired. A message is
      acknowledged under ``name`` when the application asks for the next one.

    Args:
        endpoint: where the publisher is, for example ``tcp://127.0.0.1:5560``.
        kinds: what to receive: ``inspection``, ``depth.f32``, ``mask``, ``objects``, ``image``,
            ``event`` and others. Events are always used for the bookkeeping but given only when
            named here. Where not given: inspections; of mode ``objects``, these; of mode
            ``complete``, inspections and events.
        mode: see above.
        camera: whose messages; all cameras of the publisher where not given.
        timeout_s: raise ``TimeoutError`` when nothing came for so long; else wait for ever.
        follow: stay after the ``end`` event, for the next run.
        verify: compare arrays with their checksums.
        name: of this subscriber, for acknowledgements and the publisher's status.
        since: where mode ``complete`` begins: ``acknowledged`` (after what was acknowledged under
            the name; of a new name, the oldest kept; so where not given), ``oldest`` or ``now``.
        control: endpoint of the control socket, for mode ``complete`` and whoever has a name;
            where not given, as the publisher names it.
        status: endpoint of the status socket, for mode ``complete``; where not given, as the
            publisher names it.
        keys: of this subscriber and the publisher, where it wants keys.
        buffer_mb: in mode ``complete``, messages that may wait for the application, in MB.
        on_gap: called with each gap in the live stream.
        on_expired: called with each run of messages that mode ``complete`` cannot get.
        on_slow: called with the reason when the application does not keep up.

    Attributes:
        timeout_s: as given; may be changed between two messages.

    Raises:
        SubscribeError: an argument is wrong; the text says which.
    """

    def __init__(
        self,
        endpoint: str,
        kinds: Iterable[str] | None = None,
        *,
        mode: str = Mode.STREAM,
        camera: str | None = None,
        timeout_s: float | None = None,
        follow: bool = False,
        verify: bool = True,
        name: str | None = None,
        since: str | None = None,
        control: str | None = None,
        status: str | None = None,
        keys: ClientKeys | None = None,
        buffer_mb: int = BUFFER_MB,
        on_gap: OnGap | None = None,
        on_expired: OnGap | None = None,
        on_slow: OnSlow | None = None,
    ) -> None:
        super().__init__(endpoint, on_gap, on_expired, on_slow)
        self.mode = check_mode(mode)
        self.kinds = check_kinds(self.mode, kinds)
        self.timeout_s = timeout_s
        begin = _check_since(since)
        _check_names(name, self.mode, begin)
        _check_use(self.mode, name, since=since, status=status, control=control)
        options = Options(name, control, status, verify, follow)
        complete = self.mode is Mode.COMPLETE
        self._connection = Connection(endpoint, KEPT if complete else self.kinds, camera, keys)
        self._feed: Complete | Streaming
        try:
            if complete:
                plan = Plan(camera, begin, buffer_mb << 20, self.note_expired)
                self._feed = Complete(self._connection, self, plan, options)
            else:
                latest = self.mode is Mode.LIVE
                self._feed = Streaming(self._connection, self, self.kinds, options, latest=latest)
        except BaseException:
            self._connection.close()
            raise

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
            RefusedError: the publisher does not serve this subscriber, because a key is missing or
                wrong; a ``SubscribeError``. Iteration can go on after it: it connects anew.
        """
        deadline = self._deadline()
        while True:
            message = self._step()
            if message is not None:
                return message
            if self._over:
                raise StopIteration
            poller = zmq.Poller()
            for sock in {*self._feed.sockets, *self._connection.sockets}:
                poller.register(sock, zmq.POLLIN)
            poller.poll(self._wait_ms(deadline))

    def __aiter__(self) -> AsyncIterator[Message]:
        return self

    async def __anext__(self) -> Message:
        """The next message, as ``__next__`` gives it, without holding up the event loop."""
        from zmq.asyncio import Poller

        deadline = self._deadline()
        await asyncio.sleep(0)  # others get their turn while messages wait, too
        while True:
            message = self._step()
            if message is not None:
                return message
            if self._over:
                raise StopAsyncIteration
            poller = Poller()
            for sock in {*self._feed.sockets, *self._connection.sockets}:
                poller.register(sock, zmq.POLLIN)
            await poller.poll(self._wait_ms(deadline))

    def acknowledge(self) -> None:
        """Say that all messages given so far are done with, before the next one is asked for."""
        self._feed.acknowledge()

    def close(self) -> None:
        """Leave; what was not read is dropped. What was acknowledged is sent."""
        if not self._connection.closed:
            self._feed.close()
        self._connection.close()

    @property
    def _over(self) -> bool:
        return self._connection.closed or self._feed.done

    def _step(self) -> Message | None:
        while not self._over:
            message = self._feed.step()
            if message is None:
                break
            if message.kind in self.kinds:
                return message
        if not self._connection.closed:
            self._connection.check()
        return None

    def _deadline(self) -> float | None:
        return None if self.timeout_s is None else time.monotonic() + self.timeout_s

    def _wait_ms(self, deadline: float | None) -> int | None:
        """How long to wait for a message.

        Raises:
            SubscribeTimeoutError: the time is over.
        """
        waits = [] if self._feed.wait_s is None else [self._feed.wait_s]
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise SubscribeTimeoutError(
                    f"{self._connection.silence()} (waited {self.timeout_s:g} s)"
                )
            waits.append(left)
        # Rounded up: a wait of less than a millisecond must not become none at all.
        return int(min(waits) * 1000) + 1 if waits else None


def _check_since(since: str | None) -> Since:
    try:
        return Since.ACKNOWLEDGED if since is None else Since(since)
    except ValueError:
        raise SubscribeError(f"unknown since {since}: choose from {', '.join(Since)}") from None


def _check_use(mode: Mode, name: str | None, **given: str | None) -> None:
    """Nothing that was given may be without effect."""
    if mode is Mode.COMPLETE:
        return
    for option in ("since", "status"):
        if given[option] is not None:
            raise SubscribeError(
                f"{option} is for mode complete alone, and this is mode {mode}: leave it out, or"
                " take mode complete"
            )
    if given["control"] is not None and name is None:
        raise SubscribeError(
            f"control serves mode {mode} to report gaps under a name: give a name too, or leave"
            " control out"
        )


def _check_names(name: str | None, mode: Mode, since: Since) -> None:
    if name is not None:
        try:
            check_name(name)
        except ProtocolError as error:
            raise SubscribeError(str(error)) from None
    elif mode is Mode.COMPLETE and since is Since.ACKNOWLEDGED:
        raise SubscribeError(
            "mode complete needs a name to acknowledge under, for example name='qc-1'; or say where"
            " to begin: since='oldest' or since='now'"
        )
