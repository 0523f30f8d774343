"""What slow, stopped and dead peers cost a publisher."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
import zmq

from linescan.client import Subscriber
from linescan.errors import PublishError
from linescan.protocol import InspectionMessage
from linescan.publishing import Outgoing, Publisher
from linescan.publishing.outlet import Outlet
from tests.publishing.large import LARGE, LARGE_ONES, LIMIT_MB, MB, event, large
from tests.publishing.peers import output, reader
from tests.publishing.sending import FREE, publishing
from tests.waiting import PATIENCE_MS, PATIENCE_S, wait_until


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with publishing(**LARGE_ONES) as publisher:
        yield publisher


@pytest.fixture
def hang_on() -> Iterator[Callable[[str], None]]:
    """Connects a subscriber that never reads."""
    context: zmq.Context[Any] = zmq.Context()
    peers: list[zmq.Socket[Any]] = []

    def connect(endpoint: str) -> None:
        peer = context.socket(zmq.SUB)
        peer.setsockopt(zmq.RCVHWM, 1)
        peer.subscribe(b"linescan/1/web-1/")
        peer.connect(endpoint)
        peers.append(peer)

    yield connect
    context.destroy(linger=0)


@pytest.fixture
def back(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """After all were cut off, so many come back before anything is sent, however slowly."""

    def set_count(count: int) -> None:
        cut_off = Outlet._cut_off

        def cut_off_and_wait(outlet: Outlet) -> None:
            cut_off(outlet)
            while outlet._subscriptions.peers(outlet._presence) < count:
                assert outlet.socket.poll(PATIENCE_MS)
                outlet.read_subscriptions()

        monkeypatch.setattr(Outlet, "_cut_off", cut_off_and_wait)

    return set_count


def test_close_does_not_wait_for_a_stuck_peer_beyond_the_linger_time(
    publisher: Publisher, hang_on: Callable[[str], None]
) -> None:
    hang_on(publisher.endpoint)
    publisher.wait_for_subscribers(1, PATIENCE_S)
    for seq in range(16):
        publisher.send(Outgoing([large(publisher, seq)]))
    publisher.close()  # the test's time-out ends it otherwise


def test_a_stopped_subscriber_costs_bounded_memory_and_holds_nobody_up(
    publisher: Publisher,
) -> None:
    with reader(publisher.endpoint) as stopped, reader(publisher.endpoint) as live:
        publisher.wait_for_subscribers(2, PATIENCE_S)
        os.kill(stopped.pid, signal.SIGSTOP)
        before = psutil.Process().memory_info().rss
        most = 0
        # 150 MB are sent; the stopped peer holds its share of the limit, a few more are on the way.
        # ZeroMQ refills a queue once half of it was taken, here by the kernel.
        share = LIMIT_MB / 2 * MB + 4 * LARGE
        for seq in itertools.count():
            publisher.send(Outgoing([large(publisher, seq)]))
            assert output(live).readline() == f"inspection {seq}\n"
            most = max(most, publisher.held_bytes)
            # On a busy machine, pyzmq says late what the other peer has fetched.
            if seq >= 100 and publisher.held_bytes <= share:
                break
        growth = psutil.Process().memory_info().rss - before
    assert LIMIT_MB / 4 * MB - 2 * LARGE < most <= LIMIT_MB * MB
    assert growth < LIMIT_MB * MB


def test_small_parts_count_as_well(publisher: Publisher) -> None:
    """Copies of parts below 64 KiB, as pyzmq makes them, would be told as let go of at once."""
    nbytes = 60_000
    with reader(publisher.endpoint) as stopped:
        publisher.wait_for_subscribers(1, PATIENCE_S)
        os.kill(stopped.pid, signal.SIGSTOP)
        for seq in range(400):
            publisher.send(Outgoing([large(publisher, seq, nbytes)]))
        publisher.flush(PATIENCE_S)
        assert publisher.held_bytes > 10 * nbytes  # what the kernel did not take


@pytest.mark.parametrize(("limit_mb", "least", "left"), [(128, 3, 2), (32, 1, 1)])
def test_the_limit_holds_for_messages_of_which_few_fit(
    limit_mb: int, least: int, left: int, back: Callable[[int], None]
) -> None:
    """By the count of what is queued, and by the memory of the process.

    Where there is room for one only, the peer that stands still is cut off.
    """
    limit, each = limit_mb * MB, 28 * MB
    back(1)  # the one that is alive
    options = {**LARGE_ONES, "memory_mb": limit_mb, "message_bytes": each}
    with (
        publishing(**options) as publisher,
        reader(publisher.endpoint) as stopped,
        reader(publisher.endpoint) as live,
    ):
        publisher.wait_for_subscribers(2, PATIENCE_S)
        before = psutil.Process().memory_info().rss
        os.kill(stopped.pid, signal.SIGSTOP)
        most = grown = 0
        for seq in range(12):
            # Copies, because pages of zeros that nobody wrote to take no memory.
            publisher.send(Outgoing([[bytes(part) for part in large(publisher, seq, each)]]))
            assert output(live).readline() == f"inspection {seq}\n"
            most = max(most, publisher.held_bytes)
            grown = max(grown, psutil.Process().memory_info().rss - before)
        assert publisher._peers() == left
    assert least * each <= most <= limit
    assert grown <= limit + 2 * each  # and the one that is being made, and its copy
    assert publisher.no_room == 0


def test_a_message_that_never_fits_is_dropped_counted_and_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fates: list[str] = []
    with (
        publishing(**{**LARGE_ONES, "memory_mb": 2}) as publisher,
        Subscriber(publisher.endpoint, camera="web-1", timeout_s=PATIENCE_S) as results,
    ):
        publisher.wait_for_subscribers(1, PATIENCE_S)
        for seq, nbytes in enumerate((LARGE, 2 * LARGE, LARGE)):
            sent, failed = (partial(fates.append, f"{seq} {what}") for what in ("sent", "failed"))
            publisher.send(Outgoing([large(publisher, seq, nbytes)], sent, failed))
            if seq != 1:
                assert next(results).seq == seq
    assert fates == ["0 sent", "1 failed", "2 sent"]
    assert publisher.no_room == 1
    assert (
        "linescan/1/web-1/inspection/: a message of 3 MB has no room in publish.memory_mb: 2"
        in caplog.text
    )


def test_memory_without_room_for_one_message_is_refused_at_once() -> None:
    with pytest.raises(PublishError, match=r"publish.memory_mb: 27 has no room .* 28 MB"):
        Publisher(FREE, ["web-1"], memory_mb=27, message_bytes=28 * MB)


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_peers_that_hang_at_different_times_do_not_exceed_the_limit(
    transport: str,
    tmp_path: Path,
    hang_on: Callable[[str], None],
    back: Callable[[int], None],
) -> None:
    back(1)  # the one that is alive
    endpoint = FREE if transport == "tcp" else f"ipc://{tmp_path}/s"
    with publishing(endpoint, **LARGE_ONES) as publisher, reader(publisher.endpoint) as live:
        bound = publisher.endpoint
        publisher.wait_for_subscribers(1, PATIENCE_S)
        most = seq = 0
        for _ in range(5):
            present = publisher._peers()
            hang_on(bound)
            publisher.wait_for_subscribers(present + 1, PATIENCE_S)
            for _ in range(25):
                publisher.send(Outgoing([large(publisher, seq)]))
                assert output(live).readline() == f"inspection {seq}\n"
                most = max(most, publisher.held_bytes)
                seq += 1
    # Five of them would hold 160 MB. All are cut off in time, and who is alive misses nothing.
    assert LIMIT_MB / 2 * MB < most <= LIMIT_MB * MB + 3 * LARGE
    assert publisher.endpoint == bound


def test_a_killed_subscriber_is_forgotten(publisher: Publisher) -> None:
    with reader(publisher.endpoint) as killed, reader(publisher.endpoint) as live:
        publisher.wait_for_subscribers(2, PATIENCE_S)
        for seq in range(30):
            if seq == 10:
                killed.kill()
            publisher.send(Outgoing([large(publisher, seq)]))
            assert output(live).readline() == f"inspection {seq}\n"
        wait_until(lambda: nothing_is_held(publisher))


def nothing_is_held(publisher: Publisher) -> bool:
    """Nothing but the event that is sent to find out."""
    publisher.send(Outgoing([event(publisher, 0)]))
    publisher.flush(PATIENCE_S)
    return publisher.held_bytes < 10_000


def test_arrays_are_let_go_once_they_were_fetched(publisher: Publisher) -> None:
    with Subscriber(publisher.endpoint, camera="web-1", timeout_s=PATIENCE_S) as results:
        publisher.wait_for_subscribers(1, PATIENCE_S)
        message = large(publisher, 0)
        publisher.send(Outgoing([message]))
        received = next(results)
        assert isinstance(received, InspectionMessage)
        assert received.depth is not None
        assert received.depth.tobytes() == bytes(message[2])
        wait_until(lambda: nothing_is_held(publisher))
