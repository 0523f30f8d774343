"""Subscribers with keys: served, refused in clear words, allowed later."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from linescan.client import (
    ClientKeys,
    RefusedError,
    Subscriber,
    SubscribeTimeoutError,
)
from linescan.errors import SubscribeError
from linescan.keys import new_pair, write_pair
from linescan.publishing import Publisher
from tests.keyring import Keyring
from tests.publishing.journals import MemoryJournal
from tests.publishing.sending import publish, publishing
from tests.waiting import PATIENCE_S, wait_until

Subscribe = Callable[..., Subscriber]


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path)


@pytest.fixture
def publisher(keyring: Keyring) -> Iterator[Publisher]:
    with publishing(journal=MemoryJournal(), gate=keyring.gate()) as publisher:
        yield publisher


@pytest.fixture
def subscribe() -> Iterator[Subscribe]:
    with ExitStack() as stack:

        def make(publisher: Publisher, keys: ClientKeys | None, **options: object) -> Subscriber:
            options = {"timeout_s": PATIENCE_S, **options}
            return stack.enter_context(
                Subscriber(publisher.endpoint, ["event"], keys=keys, **options)  # type: ignore[arg-type]
            )

        yield make


@pytest.fixture
def clear() -> Iterator[Publisher]:
    """A publisher that wants no keys."""
    with publishing(control=None, status=None) as publisher:
        yield publisher


def take(results: Subscriber, count: int) -> list[int]:
    return [next(results).seq for _ in range(count)]


def test_with_keys_the_live_stream_comes(
    publisher: Publisher, keyring: Keyring, subscribe: Subscribe
) -> None:
    results = subscribe(publisher, keyring.new("qc-1"), camera="web-1")
    publisher.wait_for_subscribers(1, PATIENCE_S)
    publish(publisher, 3)
    assert take(results, 3) == [0, 1, 2]


def test_with_keys_what_was_missed_comes_over_the_control_socket(
    publisher: Publisher, keyring: Keyring, subscribe: Subscribe
) -> None:
    publish(publisher, 5)
    results = subscribe(publisher, keyring.new("qc-1"), mode="complete", name="qc-1")
    assert take(results, 5) == [0, 1, 2, 3, 4]
    assert results.fetched == 5


@pytest.mark.parametrize("mode", ["stream", "live", "objects", "complete"])
def test_a_key_that_is_not_allowed_ends_in_words_and_works_once_it_is(
    publisher: Publisher, keyring: Keyring, subscribe: Subscribe, mode: str
) -> None:
    keys = keyring.new("qc-1", allow=False)
    results = subscribe(publisher, keys, mode=mode, name="qc-1", camera="web-1")
    for _ in range(2):
        with pytest.raises(RefusedError, match="does not allow this subscriber's key") as caught:
            next(results)
        assert f"'{keys.public}'" in str(caught.value)
    keyring.allow("qc-1", keys.public.encode())
    got: list[int] = []
    reading = threading.Thread(target=lambda: got.append(next_allowed(results)))
    reading.start()
    publisher.wait_for_subscribers(1, PATIENCE_S)
    publish(publisher, 1)
    reading.join(PATIENCE_S)
    assert got == [0]


def next_allowed(results: Subscriber) -> int:
    """The next message; the last attempt before the key was allowed may still be refused."""
    try:
        return next(results).seq
    except RefusedError:
        return next(results).seq


def test_async_iteration_is_refused_in_words_too(
    publisher: Publisher, keyring: Keyring, subscribe: Subscribe
) -> None:
    results = subscribe(publisher, keyring.new("qc-1", allow=False))

    async def read() -> None:
        async for _ in results:
            pass

    with pytest.raises(RefusedError, match="does not allow"):
        asyncio.run(read())


def test_without_keys_it_says_that_keys_are_wanted(
    publisher: Publisher, subscribe: Subscribe
) -> None:
    with pytest.raises(RefusedError, match="serves only subscribers with keys"):
        next(subscribe(publisher, None))


def test_with_keys_where_none_are_wanted(
    clear: Publisher, keyring: Keyring, subscribe: Subscribe
) -> None:
    with pytest.raises(RefusedError, match="does not use keys"):
        next(subscribe(clear, keyring.new("qc-1")))


def test_the_wrong_server_key(publisher: Publisher, keyring: Keyring, subscribe: Subscribe) -> None:
    _, secret = write_pair(keyring.folder, "qc-1", new_pair())
    other = new_pair().public.decode()
    results = subscribe(publisher, ClientKeys(other, secret))
    with pytest.raises(RefusedError, match="does not know the server key"):
        next(results)


def test_one_failed_handshake_is_named_when_time_is_up(
    keyring: Keyring,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        hang_up = threading.Thread(target=lambda: server.accept()[0].close())
        hang_up.start()
        endpoint = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with (
            Subscriber(endpoint, keys=keyring.new("qc-1"), timeout_s=0.1) as results,
        ):
            wait_until(lambda: "check the server key" in complaint(results))
        hang_up.join()


def complaint(results: Subscriber) -> str:
    with pytest.raises(SubscribeTimeoutError) as caught:
        next(results)
    return str(caught.value)


def test_a_name_that_the_key_does_not_stand_for_is_refused_in_words(
    publisher: Publisher, keyring: Keyring, subscribe: Subscribe
) -> None:
    publish(publisher, 3)
    keys = keyring.new("qc-1")
    options = {"mode": "complete", "name": "qc-2", "camera": "web-1", "since": "oldest"}
    results = subscribe(publisher, keys, **options)
    for _ in range(2):
        with pytest.raises(RefusedError, match="does not stand for the name qc-2, but for qc-1"):
            next(results)
    keyring.allow("qc-2", keys.public.encode())
    renewed = subscribe(publisher, keys, **options)  # the folder is looked at when somebody comes
    assert take(renewed, 3) == [0, 1, 2]
    assert take(results, 3) == [0, 1, 2]


def test_reports_under_a_name_that_is_not_allowed_disturb_nobody(
    publisher: Publisher, keyring: Keyring, subscribe: Subscribe, caplog: pytest.LogCaptureFixture
) -> None:
    results = subscribe(publisher, keyring.new("qc-1"), name="qc-2", camera="web-1")
    publisher.wait_for_subscribers(1, PATIENCE_S)
    publish(publisher, 1)
    publish(publisher, 1, first=4)
    assert take(results, 2) == [0, 4]
    results.timeout_s = 0.05

    def refused() -> bool:
        with pytest.raises(SubscribeTimeoutError):
            next(results)
        return "report of gaps refused" in caplog.text

    wait_until(refused)
    assert not publisher._desk._reports.to_json()


def test_keys_come_from_files_and_show_no_secret(keyring: Keyring) -> None:
    pair = new_pair()
    public, secret = write_pair(keyring.folder, "qc-1", pair)
    for server in (
        keyring.server_public,
        str(keyring.server_public),
        keyring.server.public.decode(),
    ):
        keys = ClientKeys(server, str(secret))
        assert keys.public == pair.public.decode()
        assert pair.secret.decode() not in repr(keys)
    with pytest.raises(SubscribeError, match="holds a public key only"):
        ClientKeys(keyring.server_public, public)
    with pytest.raises(SubscribeError, match="must not leave the machine"):
        ClientKeys(keyring.server_secret, secret)
    with pytest.raises(SubscribeError, match="no such key file"):
        ClientKeys(keyring.folder / "none.key", secret)
