"""Publishers with keys that are reached in other ways than by the loopback address, and again."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from linescan.client import ClientKeys, Subscriber
from linescan.errors import PublishError
from linescan.publishing import Outgoing, Publisher
from tests.client.helpers import Reading, end_message
from tests.keyring import Keyring
from tests.publishing.journals import MemoryJournal
from tests.publishing.sending import FREE, publish, publishing
from tests.waiting import PATIENCE_S


def elsewhere(
    keyring: Keyring, data: str, control: str, status: str
) -> AbstractContextManager[Publisher]:
    return publishing(
        data, control=control, status=status, journal=MemoryJournal(), gate=keyring.gate()
    )


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path)


@pytest.fixture
def keys(keyring: Keyring) -> ClientKeys:
    return keyring.new("qc-1")


@pytest.mark.parametrize("anywhere", ["tcp://0.0.0.0:*", "tcp://*:*"])
def test_all_addresses(keyring: Keyring, keys: ClientKeys, anywhere: str) -> None:
    with elsewhere(keyring, anywhere, anywhere, anywhere) as publisher:
        for name, endpoint in publisher.endpoints.items():
            assert endpoint is not None, name
            assert endpoint.startswith(("tcp://0.0.0.0:", "tcp://[::]:")), name
        publish(publisher, 3)
        there = f"tcp://127.0.0.2:{publisher.endpoint.rpartition(':')[2]}"
        with Subscriber(
            there, ["event"], mode="complete", name="qc-1", keys=keys, timeout_s=PATIENCE_S
        ) as results:
            assert [next(results).seq for _ in range(3)] == [0, 1, 2]


def test_ipc(keyring: Keyring, keys: ClientKeys, tmp_path: Path) -> None:
    path = f"ipc://{tmp_path}/s"
    with elsewhere(keyring, path, path + ".control", path + ".status") as publisher:
        publish(publisher, 3)
        with Subscriber(
            path, ["event"], mode="complete", name="qc-1", keys=keys, timeout_s=PATIENCE_S
        ) as results:
            assert [next(results).seq for _ in range(3)] == [0, 1, 2]


def test_a_subscriber_with_keys_finds_a_publisher_that_comes_back(
    keyring: Keyring, keys: ClientKeys
) -> None:
    with elsewhere(keyring, FREE, FREE, FREE) as publisher:
        endpoint = publisher.endpoint
        results = Subscriber(endpoint, ["event"], camera="web-1", keys=keys)
        reading = Reading(results)
        publisher.wait_for_subscribers(1, PATIENCE_S)
        publish(publisher, 1)
        (first,) = reading.take(1)
    with elsewhere(keyring, endpoint, FREE, FREE) as publisher:
        publisher.wait_for_subscribers(1, PATIENCE_S)
        publish(publisher, 1)
        (second,) = reading.take(1)
        assert (first.seq, second.seq) == (0, 0)
        assert first.epoch != second.epoch
        publisher.send(Outgoing([end_message(1, last_seq=0)]))
        reading.join(20)
        results.close()


def test_an_interface_that_is_not_there_is_named() -> None:
    with pytest.raises(PublishError, match=r"tcp://nowhere7:\*: this machine has no such address"):
        Publisher("tcp://nowhere7:*", ["web-1"]).start()
