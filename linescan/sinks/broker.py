"""What the forwarder needs of a broker."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from linescan.sinks.outgoing import Outgoing


class LostError(Exception):
    """The broker cannot be reached, or went away, or takes nothing now: try again later."""


class Session(Protocol):
    """One connection, until it is lost.

    Attributes:
        window: how many messages may be under way, as far as the broker says.
        largest: bytes of the largest message that the broker takes; None for no limit.
    """

    window: int
    largest: int | None

    async def send(self, message: Outgoing) -> asyncio.Future[None]:
        """Hand a message over; the future is done when the broker has acknowledged it.

        Raises:
            LostError: the connection is gone; also by the future.
        """
        ...

    async def pause(self, seconds: float) -> None:
        """Wait, with the connection watched.

        Raises:
            LostError: the connection is gone.
        """
        ...


class Broker(Protocol):
    """Makes connections.

    Attributes:
        where: its address, for people.
    """

    where: str

    def session(self) -> AbstractAsyncContextManager[Session]:
        """Connect, and say goodbye at the end.

        Raises:
            LostError: it cannot be reached now.
            SinkError: it refuses us, or is not set up as the configuration says.
        """
        ...


class Lost:
    """Whether, and why, a connection is gone; what waits for the broker learns it at once."""

    def __init__(self) -> None:
        self._gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting: set[asyncio.Future[None]] = set()

    def set(self, reason: str) -> None:
        """The connection is gone; the first reason counts."""
        if self._gone.done():
            return
        self._gone.set_result(reason)
        for future in list(self._waiting):
            if not future.done():
                future.set_exception(LostError(reason))

    def check(self) -> None:
        """Raise LostError if the connection is gone."""
        if self._gone.done():
            raise LostError(self._gone.result())

    def future(self) -> asyncio.Future[None]:
        """A future that fails when the connection is gone."""
        self.check()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        future.add_done_callback(self._forget)
        return future

    async def pause(self, seconds: float) -> None:
        """Wait; raise LostError if the connection is gone."""
        await asyncio.wait((self._gone,), timeout=seconds)
        self.check()

    def _forget(self, future: asyncio.Future[None]) -> None:
        self._waiting.discard(future)
        if not future.cancelled():
            future.exception()  # it was seen: asyncio need not tell again
