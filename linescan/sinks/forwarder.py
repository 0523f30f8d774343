"""Feeds one broker from the journal: for ever, in order, and only what is acknowledged counts."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import compress
from operator import not_
from pathlib import Path
from typing import Final

from linescan.errors import ProtocolError
from linescan.journal import Entry, JournalReader
from linescan.sinks.broker import Broker, LostError, Session
from linescan.sinks.cursor import Cursor
from linescan.sinks.follow import Follower, Item
from linescan.sinks.lock import SinkLock
from linescan.sinks.outgoing import Gone, Outgoing, outgoing
from linescan.sinks.state import State

log = logging.getLogger(__name__)

POLL_S: Final = 0.2
"""How often is looked for new messages when all are forwarded."""
FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 15.0
"""Between two connections; it doubles from the first to the longest until the broker has all."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may be under way.

    Attributes:
        messages: of the journal, sent and not yet acknowledged.
        bytes: their size together; one that is larger travels alone.
        timeout_s: when an acknowledgement takes longer the connection counts as lost.
        resend_s: what was acknowledged within so many seconds before a connection's end is sent
            again on the next.
    """

    messages: int
    bytes: int
    timeout_s: float
    resend_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Sent:
    """An entry, or a gap, that is under way.

    Attributes:
        item: which.
        at_s: since when, by the monotonic clock; None where there is nothing to send.
        messages: what was sent for it.
        futures: their acknowledgements.
        bytes: their size.
        too_large: what was not sent.
        damage: why nothing could be made of it; empty otherwise.
    """

    item: Item
    at_s: float | None
    messages: list[Outgoing]
    futures: list[asyncio.Future[None]]
    bytes: int
    too_large: list[Outgoing]
    damage: str


class Forwarder:
    """One sink.

    Args:
        name: of the sink.
        broker: where to.
        folder: the journal's.
        kinds: what is forwarded: inspection, objects, event.
        limits: how much may be under way.

    Attributes:
        state: what it does, to be shown.
    """

    def __init__(
        self, name: str, broker: Broker, folder: Path, kinds: Collection[str], limits: Limits
    ) -> None:
        self._broker = broker
        self._folder = folder
        self._kinds = kinds
        self._limits = limits
        self._name = name
        self._under_way: deque[_Sent] = deque()
        self._bytes = 0
        self._wait_s = FIRST_WAIT_S
        self.state = State(name)

    async def run(self, stop: asyncio.Event, *, once: bool) -> None:
        """Forward until ``stop`` is set, or ``once`` all that is there.

        Raises:
            SinkError: the broker refuses us or is not set up as stated, or another process feeds
                it.
            JournalError: the journal cannot be read.
        """
        if not await self._journal(stop, once=once):
            return
        JournalReader(self._folder)  # or there is none to lock
        with SinkLock(self._folder, self._name):
            cursor = Cursor(self._folder, f"sink-{self._name}", self._limits.resend_s)
            follower = Follower(self._folder, cursor)
            try:
                await self._keep_feeding(follower, cursor, stop, once=once)
            finally:
                cursor.save()
                self.state.phase = "ended"

    async def _journal(self, stop: asyncio.Event, *, once: bool) -> bool:
        """Wait until there is a journal: the pipeline may start after us."""
        segments = self._folder / "segments"
        if not segments.is_dir() and not once:
            log.info("%s: waiting for a journal in %s", self._name, self._folder)
            self.state.phase = "waiting for the journal"
        while not (segments.is_dir() or once or stop.is_set()):
            await _wait(stop, POLL_S)
        return not stop.is_set()

    async def _keep_feeding(
        self, follower: Follower, cursor: Cursor, stop: asyncio.Event, *, once: bool
    ) -> None:
        while not stop.is_set():
            self.state.phase = f"connecting to {self._broker.where}"
            try:
                async with self._broker.session() as session:
                    log.info("%s: connected to %s", self._name, self._broker.where)
                    self.state.phase = "connected"
                    await self._feed(session, follower, cursor, stop, once=once)
                    return
            except LostError as error:
                self.state.outages += 1
                self.state.phase = f"no broker ({error})"
                log.warning("%s: %s: %s; again soon", self._name, self._broker.where, error)
            finally:
                self._drop_under_way()
            if again := cursor.rewind():
                log.info("%s: the last %d messages will be sent again", self._name, again)
            cursor.save()
            await _wait(stop, self._wait_s)
            self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)

    async def _feed(
        self,
        session: Session,
        follower: Follower,
        cursor: Cursor,
        stop: asyncio.Event,
        *,
        once: bool,
    ) -> None:
        """Forward until told to stop; or, once, until nothing is left."""
        while not stop.is_set():
            items = await asyncio.to_thread(follower.new)
            found = False
            while (item := await asyncio.to_thread(_next, items)) is not None:
                found = True
                await self._send(session, item, cursor)
                self.state.behind = max(0, follower.behind)
                if stop.is_set():
                    break
            await self._settle(cursor, down_to=0)
            cursor.save()
            self.state.behind = 0
            self._wait_s = FIRST_WAIT_S
            if not found:
                if once:
                    return
                await session.pause(POLL_S)

    async def _send(self, session: Session, item: Item, cursor: Cursor) -> None:
        messages: list[Outgoing] = []
        too_large: list[Outgoing] = []
        damage = ""
        try:
            messages, too_large = self._messages(item, session)
        except ProtocolError as error:
            damage = str(error)
        size = sum(message.size for message in messages)
        most = min(self._limits.messages, session.window)
        await self._settle(cursor, down_to=most - 1, room=size)
        at_s = time.monotonic() if messages else None
        futures = [await session.send(message) for message in messages]
        self._under_way.append(_Sent(item, at_s, messages, futures, size, too_large, damage))
        self._bytes += size
        self.state.in_flight = len(self._under_way)
        while self._under_way and all(future.done() for future in self._under_way[0].futures):
            await self._settle_oldest(cursor)

    def _messages(self, item: Item, session: Session) -> tuple[list[Outgoing], list[Outgoing]]:
        """What is to be sent for an item, and what the broker cannot take.

        Raises:
            ProtocolError: the header of an inspection is no JSON.
        """
        messages = outgoing(item, self._kinds)
        fits = [session.largest is None or m.size <= session.largest for m in messages]
        return list(compress(messages, fits)), list(compress(messages, map(not_, fits)))

    async def _settle(self, cursor: Cursor, *, down_to: int, room: int = 0) -> None:
        """Wait until so few are under way, and there is room for so many bytes."""
        while self._under_way and (
            len(self._under_way) > down_to or self._bytes + room > self._limits.bytes
        ):
            await self._settle_oldest(cursor)

    async def _settle_oldest(self, cursor: Cursor) -> None:
        sent = self._under_way[0]
        if sent.futures:
            _, late = await asyncio.wait(sent.futures, timeout=self._limits.timeout_s)
            if late:
                raise LostError(f"no acknowledgement within {self._limits.timeout_s:g} s")
        for future in sent.futures:
            future.result()
        self._under_way.popleft()
        self._bytes -= sent.bytes
        self.state.in_flight = len(self._under_way)
        self.state.behind = max(0, self.state.behind - 1)
        self._account(sent)
        if isinstance(sent.item, Gone):
            cursor.advance(sent.item.stream, sent.item.last, sent.at_s)
        else:
            cursor.advance(sent.item.key.stream, sent.item.key.seq, sent.at_s)

    def _account(self, sent: _Sent) -> None:
        """Count what the broker has, and say what it will never get."""
        for message in sent.messages:
            self.state.note_sent(message.word)
        if isinstance(gone := sent.item, Gone):
            self.state.expired += gone.count
            log.error("%s: %s are gone from the journal and were not forwarded", self._name, gone)
        if sent.damage:
            self.state.unreadable += 1
            log.error("%s: %s is left out: %s", self._name, _key(sent.item), sent.damage)
        for message in sent.too_large:
            self.state.too_large += 1
            log.error(
                "%s: %s is left out: the broker does not take its %d bytes",
                self._name,
                message.id,
                message.size,
            )

    def _drop_under_way(self) -> None:
        """What was not acknowledged is sent again, from the journal."""
        for sent in self._under_way:
            for future in sent.futures:
                future.cancel()
        self._under_way.clear()
        self._bytes = 0
        self.state.in_flight = 0


def _next(items: Iterator[Item]) -> Item | None:
    return next(items, None)


def _key(item: Item) -> str:
    return str(item.key if isinstance(item, Entry) else item)


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    """Wait, but not beyond a stop."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
