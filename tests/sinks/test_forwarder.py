"""Memory is bounded, and only what was acknowledged counts, whatever a broker does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from linescan.journal import Acknowledgements
from linescan.protocol import Kind
from linescan.sinks.forwarder import Limits
from tests.sinks.line import Line
from tests.sinks.paced import Connection, Paced, feeding, until

LONG_S = 600.0


class Refusing(Paced):
    """Acknowledges the first so many messages of each connection, takes no more, and goes away."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Connection]:
        async with super().session() as connection:
            helper = asyncio.create_task(self._serve(connection))
            try:
                yield connection
            finally:
                helper.cancel()
                await asyncio.gather(helper, return_exceptions=True)

    async def _serve(self, connection: Connection) -> None:
        await until(lambda: connection.stuck)
        connection.acknowledge(self._most)
        connection.refuse()
        await until(lambda: connection.rests)
        connection.lost.set("it went")


async def kept(broker: Paced, folder: Path, limits: Limits, acknowledged: int) -> int:
    """How many are sent while only the first so many are acknowledged."""
    async with feeding(broker, folder, limits):
        connection = await broker.stuck()
        connection.acknowledge(acknowledged)
        return len((await broker.stuck()).sent)


@pytest.mark.parametrize(("messages", "window"), [(5, 1000), (1000, 5)])
def test_no_more_than_the_window_is_under_way(line: Line, messages: int, window: int) -> None:
    line.inspection(30)
    limits = Limits(messages, 1 << 30, LONG_S)
    assert asyncio.run(kept(Paced(window), line.folder, limits, 0)) == 5
    assert asyncio.run(kept(Paced(window), line.folder, limits, 3)) == 8


def test_no_more_bytes_than_stated_are_under_way(line: Line) -> None:
    line.inspection(30, size=(140, 210))
    size = sum(len(memoryview(f).cast("B")) for f in line.entries[-1].frames[1:])
    limits = Limits(1000, 4 * size + size // 2, LONG_S)
    # The start event, and four inspections.
    assert asyncio.run(kept(Paced(), line.folder, limits, 0)) == 5


def test_one_that_is_larger_than_the_window_travels_alone(line: Line) -> None:
    line.inspection(3, size=(140, 210))
    limits = Limits(1000, 1000, LONG_S)
    assert asyncio.run(kept(Paced(), line.folder, limits, 0)) == 1
    assert asyncio.run(kept(Paced(), line.folder, limits, 1)) == 2


def test_the_place_is_that_of_the_last_acknowledgement(line: Line) -> None:
    line.inspection(20)
    limits = Limits(10, 1 << 30, LONG_S)
    assert asyncio.run(kept(Paced(), line.folder, limits, 7)) == 17
    at = {s.kind: seq for s, seq in Acknowledgements(line.folder).get("sink-paced").items()}
    assert at == {Kind.EVENT: 0, Kind.INSPECTION: 5}


@pytest.mark.parametrize(("taken", "waits"), [(2, [0.5, 1, 2, 4, 8, 15, 15]), (4, [0.5] * 7)])
def test_a_broker_that_does_not_take_all_is_tried_ever_less_often(
    taken: int, waits: list[float], line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    line.inspection(3)
    asked: list[float] = []

    async def wait(_: asyncio.Event, seconds: float) -> None:
        asked.append(seconds)
        await asyncio.sleep(0)

    async def run() -> None:
        limits = Limits(10, 1 << 30, LONG_S, resend_s=60)
        async with feeding(Refusing(taken), line.folder, limits):
            await until(lambda: len(asked) >= len(waits))

    monkeypatch.setattr("linescan.sinks.forwarder._wait", wait)
    asyncio.run(run())
    assert asked[: len(waits)] == waits


@pytest.mark.parametrize(("resend_s", "again"), [(3600.0, 4), (0.0, 0)])
def test_what_was_acknowledged_shortly_before_is_sent_again(
    resend_s: float, again: int, line: Line
) -> None:
    line.inspection(3)
    broker = Refusing(4)

    async def run() -> None:
        async with feeding(broker, line.folder, Limits(10, 1 << 30, LONG_S, resend_s)):
            await until(lambda: len(broker.connections) > 1 and broker.connections[1].rests)

    asyncio.run(run())
    first, second = ([m.id for m in c.sent] for c in broker.connections[:2])
    assert len(first) == 4
    assert second == first[:again]
    assert bool(Acknowledgements(line.folder).get("sink-paced")) == (not again)


def test_without_an_acknowledgement_in_time_all_of_it_is_sent_again(line: Line) -> None:
    line.inspection(3)
    broker = Paced()

    async def run() -> None:
        async with feeding(broker, line.folder, Limits(10, 1 << 30, 0.2)) as forwarder:
            await until(lambda: len(broker.connections) >= 3)
            assert forwarder.state.outages >= 2
            assert forwarder.state.sent == {}

    asyncio.run(run())
    for connection in broker.connections[:2]:  # those whose end was waited for
        assert [m.id.split("/")[2:] for m in connection.sent] == [
            ["event", "0"], *(["inspection", str(n)] for n in range(3))
        ]  # fmt: skip
