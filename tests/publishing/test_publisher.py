"""The publisher with real sockets and real peers."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
import zmq

from linescan.client import Subscriber
from linescan.errors import PublishError
from linescan.protocol import Buffer, InspectionMessage, Kind, Stamp, encode, encode_start, topic
from linescan.publishing import Outgoing, Publisher
from linescan.publishing.handover import QUEUE
from linescan.publishing.outlet import Outlet
from tests.protocol.samples import inspection
from tests.publishing.peers import output, reader
from tests.waiting import PATIENCE_MS, PATIENCE_S, wait_until

FREE = "tcp://127.0.0.1:*"
MB = 1 << 20
LARGE = 3 * MB // 2
"""Bytes of the arrays of ``large``."""
LIMIT_MB = 64


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    publisher = Publisher(FREE, ["web-1"], memory_mb=LIMIT_MB, linger_s=0.2, message_bytes=LARGE)
    publisher.start()
    yield publisher
    publisher.close()


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


def large(publisher: Publisher, seq: int, nbytes: int = LARGE) -> list[Buffer]:
    item = inspection(seq * 64, size=(256, nbytes // 256 // 6), objects=0)  # 6 bytes a pixel
    message = encode(item, Kind.INSPECTION, Stamp("web-1", publisher.epoch, seq, 1))
    assert message is not None
    return message


def event(publisher: Publisher, seq: int) -> list[Buffer]:
    stamp = Stamp("web-1", publisher.epoch, seq, 1)
    return encode_start(stamp, software="s", settings={}, settings_sha256="")


def test_a_free_port_is_told(publisher: Publisher) -> None:
    assert publisher.endpoint.startswith("tcp://127.0.0.1:")
    assert int(publisher.endpoint.rsplit(":", 1)[1]) > 0


def test_localhost_is_the_loopback_address() -> None:
    publisher = Publisher("tcp://localhost:*", ["web-1"], linger_s=0)
    publisher.start()
    publisher.close()
    assert publisher.endpoint.startswith("tcp://127.0.0.1:")


def test_a_taken_port_names_endpoint_and_cure(publisher: Publisher) -> None:
    second = Publisher(publisher.endpoint, ["web-1"])
    with pytest.raises(PublishError, match=f"{publisher.endpoint}: it is taken .*another port"):
        second.start()
    second.close()


def test_a_taken_path_is_not_stolen(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/s"
    first = Publisher(endpoint, ["web-1"], linger_s=0)
    first.start()
    with pytest.raises(PublishError, match="it is taken"):
        Publisher(endpoint, ["web-1"]).start()
    with Subscriber(endpoint, camera="web-1"):
        first.wait_for_subscribers(1, PATIENCE_S)
    first.close()


def test_a_leftover_path_is_taken_over(tmp_path: Path) -> None:
    code = f"import socket; socket.socket(socket.AF_UNIX).bind({str(tmp_path / 's')!r})"
    assert os.spawnlp(os.P_WAIT, "python", "python", "-c", code) == 0
    assert (tmp_path / "s").is_socket()
    publisher = Publisher(f"ipc://{tmp_path}/s", ["web-1"], linger_s=0)
    publisher.start()
    publisher.close()


@pytest.mark.parametrize(
    ("endpoint", "complaint"),
    [
        ("tcp://127.0.0.1", "tcp://127.0.0.1: .*write e.g. tcp://127.0.0.1:5560"),
        ("nonsense", "nonsense: .*write e.g."),
        ("tcp://192.0.2.1:5560", "no such address"),
        ("ipc:///no/such/folder/s", "folder does not exist"),
        ("ipc://" + "x" * 200, "path is too long"),
    ],
)
def test_a_bad_endpoint_names_itself_and_the_cure(endpoint: str, complaint: str) -> None:
    with pytest.raises(PublishError, match=complaint):
        Publisher(endpoint, ["web-1"]).start()


def test_waits_for_subscribers(publisher: Publisher) -> None:
    with Subscriber(publisher.endpoint, camera="web-1"):
        publisher.wait_for_subscribers(1, PATIENCE_S)
        with pytest.raises(PublishError, match=r"1 of 2 subscribers came to tcp.* within 0.1 s"):
            publisher.wait_for_subscribers(2, 0.1)
        with Subscriber(publisher.endpoint, ["mask"], camera="web-1"):
            publisher.wait_for_subscribers(2, PATIENCE_S)
        wait_until(lambda: not publisher.wants(topic("web-1", Kind.MASK)))
        with pytest.raises(PublishError, match="1 of 2"):
            publisher.wait_for_subscribers(2, 0.1)


def test_waiting_ends_when_the_publisher_is_closed(publisher: Publisher) -> None:
    threading.Timer(0.1, publisher.close).start()
    with pytest.raises(PublishError, match="not running"):
        publisher.wait_for_subscribers(1, 60)


def test_knows_what_is_wanted(publisher: Publisher) -> None:
    image, mask = topic("web-1", Kind.IMAGE), topic("web-1", Kind.MASK)
    assert not publisher.wants(image)
    with Subscriber(publisher.endpoint, ["image"], camera="web-1"):
        wait_until(lambda: publisher.wants(image))
        assert not publisher.wants(mask)
    wait_until(lambda: not publisher.wants(image))


def test_a_peer_that_names_no_camera_is_greeted_and_does_not_want_everything(
    publisher: Publisher,
) -> None:
    with Subscriber(publisher.endpoint, ["event"], timeout_s=PATIENCE_S) as results:

        def send_one() -> None:
            publisher.wait_for_subscribers(1, PATIENCE_S)
            publisher.send(Outgoing([event(publisher, 0)]))

        sender = threading.Thread(target=send_one)
        sender.start()
        assert next(results).epoch == publisher.epoch
        sender.join()
        assert not publisher.wants(topic("web-1", Kind.INSPECTION))


def test_on_sent_comes_in_order_and_flush_waits_for_it(publisher: Publisher) -> None:
    sent: list[int] = []

    def note(seq: int) -> Callable[[], None]:
        return lambda: sent.append(seq)

    for seq in range(50):
        publisher.send(Outgoing([event(publisher, seq)], on_sent=note(seq)))
    publisher.flush(PATIENCE_S)
    assert sent == list(range(50))


def hold_up(publisher: Publisher) -> threading.Event:
    """Keep the publisher's thread busy until the event is set."""
    entered, leave = threading.Event(), threading.Event()

    def wait() -> None:
        entered.set()
        leave.wait()

    publisher.send(Outgoing([], on_sent=wait))
    entered.wait()
    return leave


def test_flush_ends_when_a_turn_has_sent_all_that_waited(publisher: Publisher) -> None:
    """A turn is ``QUEUE`` results: the first begins and ends with one that holds it up."""
    first, entered, second = hold_up(publisher), threading.Event(), threading.Event()

    def wait() -> None:
        entered.set()
        second.wait()

    for _ in range(QUEUE - 2):
        publisher.send(Outgoing([]))
    publisher.send(Outgoing([], on_sent=wait))
    first.set()
    entered.wait()
    for _ in range(QUEUE):
        publisher.send(Outgoing([]))
    second.set()
    publisher.flush(PATIENCE_S)


def test_the_queue_is_bounded(publisher: Publisher) -> None:
    leave = hold_up(publisher)
    sent: list[int] = []

    def flood() -> None:
        for seq in range(1, 2 * QUEUE):
            publisher.send(Outgoing([event(publisher, seq)]))
            sent.append(seq)

    sender = threading.Thread(target=flood)
    sender.start()
    wait_until(lambda: len(sent) == QUEUE)
    sender.join(0.1)  # it would go on if it could
    assert sender.is_alive()
    assert len(sent) == QUEUE
    leave.set()
    sender.join()
    publisher.flush(PATIENCE_S)


def test_after_a_failure_nothing_hangs(publisher: Publisher) -> None:
    fates: list[str] = []
    unsendable: Any = ["text is not bytes"]
    leave = hold_up(publisher)
    for name, messages in (("bad", [unsendable]), ("next", [event(publisher, 0)])):
        sent, failed = (partial(fates.append, f"{name} {what}") for what in ("sent", "failed"))
        publisher.send(Outgoing(messages, sent, failed))
    leave.set()
    wait_until(lambda: len(fates) == 2)
    assert fates == ["bad failed", "next failed"]
    for step in (
        lambda: publisher.send(Outgoing([])),
        lambda: publisher.flush(60),
        lambda: publisher.wait_for_subscribers(1, 60),
    ):
        with pytest.raises(PublishError, match=r"publishing at tcp.* failed"):
            step()


def test_closed_is_closed(publisher: Publisher) -> None:
    publisher.close()
    publisher.close()
    with pytest.raises(PublishError, match="not running"):
        publisher.send(Outgoing([]))


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
        for seq in range(100):
            publisher.send(Outgoing([large(publisher, seq)]))
            assert output(live).readline() == f"inspection {seq}\n"
            most = max(most, publisher.held_bytes)
        growth = psutil.Process().memory_info().rss - before
    # 150 MB were sent; the stopped peer holds its share of the limit, a few more are on the way.
    assert LIMIT_MB / 2 * MB - 2 * LARGE < most <= LIMIT_MB / 2 * MB + 4 * LARGE
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
    publisher = Publisher(FREE, ["web-1"], memory_mb=limit // MB, linger_s=0.2, message_bytes=each)
    publisher.start()
    with reader(publisher.endpoint) as stopped, reader(publisher.endpoint) as live:
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
    publisher.close()
    assert least * each <= most <= limit
    assert grown <= limit + 2 * each  # and the one that is being made, and its copy
    assert publisher.no_room == 0


def test_a_message_that_never_fits_is_dropped_counted_and_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    publisher = Publisher(FREE, ["web-1"], memory_mb=2, linger_s=0.2, message_bytes=LARGE)
    publisher.start()
    fates: list[str] = []
    with Subscriber(publisher.endpoint, camera="web-1", timeout_s=PATIENCE_S) as results:
        publisher.wait_for_subscribers(1, PATIENCE_S)
        for seq, nbytes in enumerate((LARGE, 2 * LARGE, LARGE)):
            sent, failed = (partial(fates.append, f"{seq} {what}") for what in ("sent", "failed"))
            publisher.send(Outgoing([large(publisher, seq, nbytes)], sent, failed))
            if seq != 1:
                assert next(results).seq == seq
    publisher.close()
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
    publisher = Publisher(
        endpoint, ["web-1"], memory_mb=LIMIT_MB, linger_s=0.2, message_bytes=LARGE
    )
    publisher.start()
    bound = publisher.endpoint
    with reader(bound) as live:
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
    publisher.close()
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
