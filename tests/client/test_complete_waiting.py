"""Mode complete while nothing comes, and beside what else an event loop does."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from linescan.client import SubscribeTimeoutError
from tests.client.completing import INSPECTIONS, complete, take
from tests.client.helpers import seqs
from tests.client.journalled import Journalled, Order, journalled
from tests.waiting import PATIENCE_MS, PATIENCE_S

pytestmark = pytest.mark.timeout(180)  # several processes each


def test_the_event_loop_goes_on_while_messages_wait(line: Journalled) -> None:
    line.tell("frame 40", "end")

    async def turns() -> int:
        count = 0

        async def tick() -> None:
            nonlocal count
            while True:
                await asyncio.sleep(0)
                count += 1

        with complete(line, INSPECTIONS) as results:
            assert next(results).seq == 0
            control = results._feed.sockets[1]
            assert control.poll(PATIENCE_MS)  # now the others wait
            ticking = asyncio.create_task(tick())
            async for received in results:
                if received.seq < 5:
                    count = 0
                if received.seq == 9:
                    break
            ticking.cancel()
        return count

    assert asyncio.run(turns()) >= 5


def test_it_can_be_awaited(line: Journalled) -> None:
    line.tell("frame 20", "end")

    async def read() -> tuple[list[int], int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0)
                ticks += 1

        ticking = asyncio.create_task(tick())
        got = []
        with complete(line, INSPECTIONS, follow=True) as results:
            async for received in results:
                got.append(received.seq)
                if len(got) == 20:
                    break
            results.timeout_s = 0.3
            with pytest.raises(SubscribeTimeoutError):
                await anext(results)
            waiting = asyncio.ensure_future(anext(results))
            await asyncio.sleep(0.05)
            waiting.cancel()  # loses nothing
        ticking.cancel()
        return got, ticks

    got, ticks = asyncio.run(read())
    assert got == list(range(20))
    assert ticks >= 20  # others ran meanwhile


def test_it_waits_for_a_publisher_that_comes_later(order: Order) -> None:
    with journalled(order) as line:
        pass
    line = Journalled(line.order)
    try:
        with complete(line, INSPECTIONS) as results:
            results.timeout_s = 0.3
            with pytest.raises(TimeoutError, match="no publisher answers"):
                next(results)
            results.timeout_s = PATIENCE_S
            line.begin()
            line.tell("frame 3", "end")
            assert seqs(list(results)) == [0, 1, 2]
    finally:
        line.kill()


def test_a_stopped_publisher_hangs_nobody(line: Journalled) -> None:
    with complete(line, INSPECTIONS) as results:
        line.tell("frame 3")
        assert seqs(take(results, 3)) == [0, 1, 2]
        os.kill(line.process.pid, signal.SIGSTOP)
        results.timeout_s = 0.3
        with pytest.raises(TimeoutError):
            next(results)
        os.kill(line.process.pid, signal.SIGCONT)
        results.timeout_s = PATIENCE_S
        line.tell("frame 2", "end")
        assert seqs(list(results)) == [3, 4]
