"""The publisher with real sockets and real peers."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from linescan.client import Subscriber
from linescan.errors import PublishError
from linescan.protocol import Kind, topic
from linescan.publishing import Outgoing, Publisher
from linescan.publishing.handover import QUEUE
from tests.publishing.large import LARGE_ONES, event
from tests.publishing.sending import publishing
from tests.waiting import PATIENCE_S, wait_until


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with publishing(**LARGE_ONES) as publisher:
        yield publisher


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
