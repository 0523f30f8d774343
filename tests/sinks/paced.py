"""A broker inside the test that acknowledges when it is told to, and notes what it was given."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from linescan.sinks.broker import Lost, LostError
from linescan.sinks.forwarder import Forwarder, Limits
from linescan.sinks.outgoing import Outgoing

KINDS = ("inspection", "event")
DEADLINE_S = 60.0


class Acknowledgement(asyncio.Future[None]):
    """Knows whether the forwarder waits for it, which tells when nothing more will be sent."""

    awaited = False

    def add_done_callback(self, *arguments: Any, **options: Any) -> None:
        self.awaited = True
        super().add_done_callback(*arguments, **options)


class Connection:
    """One session."""

    def __init__(self, window: int) -> None:
        self.window = window
        self.largest: int | None = None
        self.sent: list[Outgoing] = []
        self.futures: list[Acknowledgement] = []
        self.lost = Lost()
        self.rests = False

    async def send(self, message: Outgoing) -> asyncio.Future[None]:
        self.lost.check()
        self.sent.append(message)
        self.futures.append(Acknowledgement(loop=asyncio.get_running_loop()))
        return self.futures[-1]

    async def pause(self, seconds: float) -> None:
        self.rests = True
        await self.lost.pause(seconds)

    @property
    def stuck(self) -> bool:
        """Whether the forwarder waits for an acknowledgement."""
        return any(f.awaited and not f.done() for f in self.futures)

    def acknowledge(self, count: int) -> None:
        """Acknowledge so many of those that wait longest."""
        for future in list(self._open())[:count]:
            future.set_result(None)

    def refuse(self) -> None:
        """Say no to all that wait."""
        for future in self._open():
            future.set_exception(LostError("no"))

    def _open(self) -> Iterator[Acknowledgement]:
        return (future for future in self.futures if not future.done())


class Paced:
    """The broker; remembers all its connections."""

    where = "paced://"

    def __init__(self, window: int = 1000) -> None:
        self.window = window
        self.connections: list[Connection] = []

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Connection]:
        self.connections.append(Connection(self.window))
        yield self.connections[-1]

    async def stuck(self) -> Connection:
        """The first connection, once the forwarder waits for it."""
        await until(lambda: bool(self.connections) and self.connections[0].stuck)
        return self.connections[0]


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for something, and fail where it does not come."""
    async with asyncio.timeout(DEADLINE_S):
        while not is_so():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def feeding(broker: Paced, folder: Path, limits: Limits) -> AsyncIterator[Forwarder]:
    """A forwarder at work, which is ended in any case."""
    forwarder = Forwarder("paced", broker, folder, KINDS, limits)
    task = asyncio.create_task(forwarder.run(asyncio.Event(), once=False))
    try:
        yield forwarder
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
