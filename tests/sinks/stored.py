"""What a broker has, as any other client of it sees it."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import nats
from nats.js.api import StreamInfo
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.sinks.waiting import WAIT_S, wait_until


@dataclass(frozen=True)
class Stored:
    """One message of a stream."""

    subject: str
    headers: dict[str, str]
    payload: bytes

    @property
    def id(self) -> str:
        return self.headers["Nats-Msg-Id"]


def in_stream(url: str, stream: str = "linescan", **identity: str) -> list[Stored]:
    """All messages of a JetStream stream, in its order."""

    async def read() -> list[Stored]:
        client = await nats.connect(url, allow_reconnect=False, **identity)
        try:
            context = client.jetstream()
            state = (await context.stream_info(stream)).state
            found = []
            for seq in range(max(1, state.first_seq), state.last_seq + 1):
                message = await context.get_msg(stream, seq)
                found.append(
                    Stored(message.subject or "", dict(message.headers or {}), message.data or b"")
                )
            return found
        finally:
            await client.close()

    return asyncio.run(read())


def stream_info(url: str, stream: str = "linescan") -> StreamInfo:
    async def read() -> StreamInfo:
        client = await nats.connect(url, allow_reconnect=False)
        try:
            return await client.jetstream().stream_info(stream)
        finally:
            await client.close()

    return asyncio.run(read())


def make_stream(url: str, stream: str, subjects: list[str]) -> None:
    """Make a stream as a plant's own people do."""

    async def make() -> None:
        client = await nats.connect(url, allow_reconnect=False)
        try:
            await client.jetstream().add_stream(name=stream, subjects=subjects)
        finally:
            await client.close()

    asyncio.run(make())


class Listener:
    """An MQTT subscriber with a session that outlives connections, and brokers."""

    def __init__(self, port: int, pattern: str = "#", *, name: str = "listener") -> None:
        self._port = port
        self._pattern = pattern
        self._lock = threading.Lock()
        self._messages: list[MQTTMessage] = []
        self.subscribed = threading.Event()
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.reconnect_delay_set(0.05, 0.05)  # type: ignore[arg-type]
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self.subscribed.set()
        self._client.on_message = self._on_message

    def __enter__(self) -> Self:
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 3600
        properties.ReceiveMaximum = 65535
        self._client.connect("127.0.0.1", self._port, 60, clean_start=False, properties=properties)
        self._client.loop_start()
        assert self.subscribed.wait(WAIT_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    @contextmanager
    def comes_again(self) -> Iterator[None]:
        """Wait, after what is done meanwhile, until it is connected and subscribed anew."""
        self.subscribed.clear()
        yield
        assert self.subscribed.wait(WAIT_S)

    def _on_connect(self, client: Client, *_: Any) -> None:
        client.subscribe(self._pattern, qos=1)

    def _on_message(self, _: Client, __: Any, message: MQTTMessage) -> None:
        with self._lock:
            self._messages.append(message)

    def messages(self) -> list[MQTTMessage]:
        with self._lock:
            return list(self._messages)

    def wait_for_more(self, count: int) -> None:
        """Until so many messages more have come."""
        wanted = len(self.messages()) + count
        wait_until(lambda: len(self.messages()) >= wanted, f"{count} messages more")

    def states(self) -> list[str]:
        return [m.payload.decode() for m in self.messages() if m.topic.endswith("/state")]

    def by_id(self) -> dict[str, list[MQTTMessage]]:
        """All that carry an identity, by it."""
        found = defaultdict(list)
        for message in self.messages():
            for name, value in getattr(message.properties, "UserProperty", ()):
                if name == "id":
                    found[value].append(message)
        return found
