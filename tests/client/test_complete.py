"""Mode complete against publishers with a journal, in processes of their own."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zmq

from linescan.client import Gap, Subscriber, SubscribeTimeoutError
from linescan.client.complete import Complete
from linescan.errors import SubscribeError
from linescan.protocol import EndEvent, Kind, Message, StartEvent
from tests.client.helpers import Raw, end_message, message, seqs
from tests.client.journalled import Journalled, Order, journalled
from tests.waiting import PATIENCE_MS, PATIENCE_S, wait_until

INSPECTIONS = ["inspection"]
INSPECTION = b"linescan/1/web-1/inspection/"

pytestmark = pytest.mark.timeout(180)  # several processes each


@pytest.fixture
def order(tmp_path: Path) -> Order:
    return Order(str(tmp_path / "journal"))


@pytest.fixture
def line(order: Order) -> Iterator[Journalled]:
    with journalled(order) as line:
        yield line


def complete(line: Journalled, kinds: list[str] | None = None, **options: Any) -> Subscriber:
    options = {"name": "qc-1", "camera": "web-1", "timeout_s": PATIENCE_S, **options}
    return Subscriber(line.order.data, kinds, mode="complete", **options)


def take(results: Subscriber, count: int) -> list[Message]:
    return list(itertools.islice(results, count))


def begin(line: Journalled, results: Subscriber) -> None:
    """Wait until a subscriber is there and knows what was published, where that can be known."""
    line.tell("wait")
    feed = results._feed
    assert isinstance(feed, Complete)
    results.timeout_s = 0.05
    while feed._plan.journal is None:
        with pytest.raises(TimeoutError):
            next(results)
    results.timeout_s = PATIENCE_S


def miss(line: Journalled, results: Subscriber, count: int) -> None:
    """Have so many inspections published that do not come over the live stream."""
    results._connection.socket.unsubscribe(INSPECTION)
    line.tell("unwanted", f"frame {count}")
    results._connection.socket.subscribe(INSPECTION)
    line.tell("wanted")


def subscribers(line: Journalled) -> dict[str, Any]:
    """What the next status message says of each."""
    assert line.order.status is not None
    context: zmq.Context[Any] = zmq.Context()
    try:
        socket = context.socket(zmq.SUB)
        socket.rcvtimeo = PATIENCE_MS
        socket.subscribe(b"")
        socket.connect(line.order.status)
        status = json.loads(socket.recv_multipart()[1])
        return {entry["name"]: entry for entry in status["subscribers"]}
    finally:
        context.destroy(linger=0)


def gaps_told_by(line: Journalled, results: Subscriber) -> dict[str, int]:
    """Gaps that a subscriber to which nothing comes any more has reported by now."""
    with pytest.raises(TimeoutError):
        next(results)
    entries = subscribers(line).values()
    return next((entry["gaps"] for entry in entries), {"inspection": 0, "event": 0})


def test_who_comes_late_gets_everything_in_order(line: Journalled) -> None:
    line.tell("frame 20", "loss", "frame 5", "end")
    with complete(line) as results:
        given = list(results)
        expected = [(Kind.EVENT, 0), *((Kind.INSPECTION, n) for n in range(20)), (Kind.EVENT, 1)]
        expected += [*((Kind.INSPECTION, n) for n in range(20, 25)), (Kind.EVENT, 2)]
        assert [(m.kind, m.seq) for m in given] == expected
        assert isinstance(results.start, StartEvent)
        assert results.end is given[-1]
        assert results.fetched == 28
        assert not results.missed
        assert not results.gaps


def test_it_goes_on_after_what_it_was_given_and_came_back_for(line: Journalled) -> None:
    line.tell("frame 10")
    with complete(line, INSPECTIONS) as results:
        assert seqs(take(results, 4)) == [0, 1, 2, 3]  # came back for all but the last
    with complete(line, INSPECTIONS) as results:
        assert seqs(take(results, 3)) == [3, 4, 5]
        results.acknowledge()
    with complete(line, INSPECTIONS) as results:
        assert seqs(take(results, 1)) == [6]
    with complete(line, INSPECTIONS, name="qc-2") as other:
        assert seqs(take(other, 1)) == [0]
    with complete(line, INSPECTIONS, since="oldest") as results:
        assert seqs(take(results, 1)) == [0]
    with complete(line, INSPECTIONS, since="now") as results:
        begin(line, results)
        line.tell("frame")
        assert seqs(take(results, 1)) == [10]


def test_a_restart_takes_nothing_away(line: Journalled) -> None:
    with complete(line, follow=True) as results:
        line.tell("frame 5")
        assert len(take(results, 6)) == 6
        line.tell("frame 5", "loss")  # not read before the publisher dies
        line.kill()
        with journalled(line.order) as second:
            second.tell("frame 3")
            second.kill()  # never seen live
        with journalled(line.order) as third:
            third.tell("frame 2", "end")
            given = take(results, 6 + 4 + 4)
        epochs = list(dict.fromkeys(m.epoch for m in given))
        assert len(epochs) == 3
        assert [[m.seq for m in given if m.epoch == e and m.kind is Kind.INSPECTION]
                for e in epochs] == [[5, 6, 7, 8, 9], [0, 1, 2], [0, 1]]  # fmt: skip
        assert results.restarts == 2
        assert not results.missed


def test_who_does_not_keep_up_gets_everything_and_is_told(line: Journalled) -> None:
    """Nobody reads: the publisher's queue and the socket's fill, and the rest is dropped."""
    reasons: list[str] = []
    with complete(line, INSPECTIONS, on_slow=reasons.append) as results:
        line.tell("wait", "frame 1")
        assert seqs(take(results, 1)) == [0]
        before = results.fetched
        line.tell("frame 4000")
        assert seqs(take(results, 4000)) == list(range(1, 4001))
        assert results.fetched - before > 200
        assert not results.missed
        assert "of the last 200 messages had to come from the journal" in reasons[0]
        assert results.slow == len(reasons)
        results.timeout_s = 0.1
        wait_until(lambda: gaps_told_by(line, results)["inspection"] > 200)


def test_a_lost_tail_is_seen_from_the_status(line: Journalled) -> None:
    with complete(line, INSPECTIONS) as results:
        line.tell("wait", "frame 2")
        assert seqs(take(results, 2)) == [0, 1]
        before = results.fetched
        # As if the live stream had lost its last messages: nothing comes after them.
        results._connection.socket.unsubscribe(INSPECTION)
        line.tell("unwanted", "frame 3")
        assert seqs(take(results, 3)) == [2, 3, 4]
        assert results.fetched - before == 3


def test_a_callback_that_raises_loses_no_message(line: Journalled) -> None:
    def refuse(gap: Gap) -> None:
        raise RuntimeError("not now")

    with complete(line, INSPECTIONS, on_gap=refuse) as results:
        line.tell("wait", "frame 2")
        assert seqs(take(results, 2)) == [0, 1]
        miss(line, results, 3)
        line.tell("frame 5", "end")
        assert results._connection.socket.poll(PATIENCE_MS)  # before the status tells of the gap
        with pytest.raises(RuntimeError, match="not now"):
            next(results)
        assert seqs(list(results)) == list(range(2, 10))
        assert not results.missed


def test_what_the_journal_no_longer_has_is_reported(tmp_path: Path) -> None:
    order = Order(str(tmp_path / "journal"), max_gb=0.0042, segment_mb=1)
    expired: list[Gap] = []
    with journalled(order) as line:
        line.tell("frame 10")
        with complete(line, INSPECTIONS) as results:
            assert len(take(results, 5)) == 5
        line.tell("frame 3000", "durable", "frame 10", "end", "durable")
        with complete(line, INSPECTIONS, on_expired=expired.append) as results:
            given = seqs(list(results))
        assert given[-1] == 3019
        assert given == list(range(given[0], 3020))
        (gap,) = expired
        assert (gap.kind, gap.first_seq, gap.count) == (Kind.INSPECTION, 4, given[0] - 4)
        assert results.expired == results.missed == gap.count


def test_a_run_that_was_wholly_pruned_meanwhile_is_reported(tmp_path: Path) -> None:
    order = Order(str(tmp_path / "journal"), max_gb=0.0042, segment_mb=1)
    with journalled(order) as line:
        line.tell("frame 10")
        with complete(line, INSPECTIONS) as results:
            assert len(take(results, 5)) == 5
            results.acknowledge()
    for _ in range(2):  # missed, and pruned by what comes after
        with journalled(order) as line:
            line.tell("frame 10", "durable")
    expired: list[Gap] = []
    with journalled(order) as line:
        line.tell("frame 3000", "durable", "end", "durable")
        with complete(line, on_expired=expired.append) as results:
            given = list(results)
    (epoch,) = {message.epoch for message in given}
    whole = [gap for gap in expired if gap.epoch != epoch]
    assert [(gap.kind, gap.first_seq, gap.count) for gap in whole] == [
        (Kind.INSPECTION, 5, 5),
        *[(Kind.INSPECTION, 0, 10), (Kind.EVENT, 0, 1)] * 2,
    ]
    assert results.expired == sum(gap.count for gap in expired)
    with complete(line, name="new", since="oldest") as other:
        assert not other.expired


def test_without_a_journal_it_says_so_and_reports_gaps(
    order: Order, caplog: pytest.LogCaptureFixture
) -> None:
    expired: list[Gap] = []
    for without in (replace(order, journal=False), replace(order, journal=False, control=None)):
        caplog.clear()
        expired.clear()
        with journalled(without) as line:
            line.tell("frame 3")
            with complete(line, INSPECTIONS, on_expired=expired.append) as results:
                begin(line, results)
                line.tell("frame 2")
                assert seqs(take(results, 2)) == [3, 4]
                miss(line, results, 4)
                line.tell("frame 1", "end")
                assert seqs(list(results)) == [9]
                assert expired == [Gap("web-1", Kind.INSPECTION, expired[0].epoch, 5, 4)]
        assert "what is missed cannot be fetched" in caplog.text


def test_a_publisher_that_greets_nobody_has_no_journal(raw: Raw) -> None:
    with Subscriber(
        raw.endpoint, camera="web-1", mode="complete", name="a", timeout_s=PATIENCE_S
    ) as results:
        raw.wait_for_events()
        for frames in (message(3), message(5), end_message(2, 5)):
            raw.send(*frames)
        assert [m.seq for m in results] == [3, 5, 2]
        assert results.expired == 1


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


def test_it_reports_gaps_in_every_mode(line: Journalled) -> None:
    with Subscriber(
        line.order.data, name="viewer", timeout_s=PATIENCE_S, camera="web-1"
    ) as results:
        line.tell("wait", "frame 1")
        assert seqs(take(results, 1)) == [0]
        miss(line, results, 4)
        line.tell("frame 1")
        assert seqs(take(results, 1)) == [5]
        assert results.missed == 4
        results.timeout_s = 0.1
        wait_until(lambda: gaps_told_by(line, results) == {"inspection": 4, "event": 0})


def test_objects_alone(line: Journalled) -> None:
    with Subscriber(
        line.order.data, mode="objects", camera="web-1", timeout_s=PATIENCE_S
    ) as results:
        line.tell("wait", "frame 3", "end")
        given = list(results)
        assert [m.kind for m in given] == [Kind.OBJECTS] * 3
        assert isinstance(results.end, EndEvent)


def test_two_read_at_their_own_pace(line: Journalled) -> None:
    line.tell("frame 300", "end")
    got: dict[str, list[int]] = {}

    def read(name: str, pause_s: float) -> None:
        with complete(line, INSPECTIONS, name=name, buffer_mb=1) as results:
            got[name] = []
            for received in results:
                got[name].append(received.seq)
                time.sleep(pause_s)

    threads = [threading.Thread(target=read, args=args) for args in (("a", 0.0), ("b", 0.005))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * PATIENCE_S)
    assert got == {"a": list(range(300)), "b": list(range(300))}


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"mode": "complete"}, "mode complete needs a name"),
        ({"mode": "complete", "name": "a b"}, "subscriber name 'a b'"),
        ({"mode": "complete", "name": "a", "since": "ever"}, "unknown since ever: choose from ack"),
        ({"mode": "complete", "name": "a", "kinds": ["image"]}, "gives inspection and event"),
        ({"mode": "objects", "kinds": ["inspection"]}, "mode objects gives objects and event"),
        ({"mode": "newest"}, "unknown mode newest: choose from stream, live"),
        ({"since": "oldest"}, "since is for mode complete alone, and this is mode stream"),
        ({"mode": "live", "status": "tcp://127.0.0.1:1"}, "status is for mode complete alone"),
        ({"mode": "objects", "control": "tcp://127.0.0.1:1"}, "give a name too, or leave control"),
        ({"mode": "complete", "name": "a", "control": "nonsense"}, "control socket 'nonsense'"),
        ({"mode": "complete", "name": "a", "status": "nonsense"}, "status socket 'nonsense'"),
    ],
)
def test_bad_options_say_what_to_do(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(SubscribeError, match=complaint):
        Subscriber("tcp://127.0.0.1:5560", **options)
