"""Memory is bounded, and only what was acknowledged counts, whatever a broker does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from linescan.journal import Acknowledgements
from linescan.protocol import Kind
from linescan.sinks.broker import Lost
from linescan.sinks.forwarder import Forwarder, Limits
from linescan.sinks.outgoing import Outgoing
from tests.sinks.line import Line

KINDS = ("inspection", "event")


class Slow:
    """A broker that acknowledges when it is told to."""

    where = "slow://"

    def __init__(self, window: int = 1000) -> None:
        self.window = window
        self.largest: int | None = None
        self.sent: list[Outgoing] = []
        self.futures: list[asyncio.Future[None]] = []
        self.sessions = 0

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Slow]:
        self.sessions += 1
        self._lost = Lost()
        self.futures = []
        self.sent = []
        yield self

    async def send(self, message: Outgoing) -> asyncio.Future[None]:
        self.sent.append(message)
        self.futures.append(self._lost.future())
        return self.futures[-1]

    async def pause(self, seconds: float) -> None:
        await self._lost.pause(seconds)

    async def idle(self) -> None:
        """Until nothing more is sent."""
        seen = -1
        while seen != len(self.sent):
            seen = len(self.sent)
            await asyncio.sleep(0.3)


async def kept(broker: Slow, folder: Path, limits: Limits, acknowledged: int) -> int:
    """How many are sent while only the first so many are acknowledged."""
    forwarder = Forwarder("slow", broker, folder, KINDS, limits)
    task = asyncio.create_task(forwarder.run(asyncio.Event(), once=False))
    await broker.idle()
    for future in broker.futures[:acknowledged]:
        future.set_result(None)
    await broker.idle()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return len(broker.sent)


@pytest.mark.parametrize(("messages", "window"), [(5, 1000), (1000, 5)])
def test_no_more_than_the_window_is_under_way(line: Line, messages: int, window: int) -> None:
    line.inspection(30)
    limits = Limits(messages, 1 << 30, 60)
    assert asyncio.run(kept(Slow(window), line.folder, limits, 0)) == 5
    assert asyncio.run(kept(Slow(window), line.folder, limits, 3)) == 8


def test_no_more_bytes_than_stated_are_under_way(line: Line) -> None:
    line.inspection(30, size=(140, 210))
    size = sum(len(memoryview(f).cast("B")) for f in line.entries[-1].frames[1:])
    limits = Limits(1000, 4 * size + size // 2, 60)
    # The start event, and four inspections.
    assert asyncio.run(kept(Slow(), line.folder, limits, 0)) == 5


def test_one_that_is_larger_than_the_window_travels_alone(line: Line) -> None:
    line.inspection(3, size=(140, 210))
    assert asyncio.run(kept(Slow(), line.folder, Limits(1000, 1000, 60), 0)) == 1
    assert asyncio.run(kept(Slow(), line.folder, Limits(1000, 1000, 60), 1)) == 2


def test_the_place_is_that_of_the_last_acknowledgement(line: Line) -> None:
    line.inspection(20)
    assert asyncio.run(kept(Slow(), line.folder, Limits(10, 1 << 30, 60), 7)) == 17
    at = {s.kind: seq for s, seq in Acknowledgements(line.folder).get("sink-slow").items()}
    assert at == {Kind.EVENT: 0, Kind.INSPECTION: 5}


def test_without_an_acknowledgement_in_time_all_of_it_is_sent_again(line: Line) -> None:
    line.inspection(3)
    broker = Slow()

    async def run() -> None:
        forwarder = Forwarder("slow", broker, line.folder, KINDS, Limits(10, 1 << 30, 0.5))
        task = asyncio.create_task(forwarder.run(asyncio.Event(), once=False))
        while broker.sessions < 3:
            await asyncio.sleep(0.05)
        await broker.idle()
        assert [m.id.split("/")[2:] for m in broker.sent] == [
            ["event", "0"], *(["inspection", str(n)] for n in range(3))
        ]  # fmt: skip
        assert forwarder.state.outages == 2
        assert forwarder.state.sent == {}
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
