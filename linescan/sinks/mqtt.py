"""MQTT 5: objects and events as JSON with QoS 1, and a retained topic that says who is there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from linescan.config.sinks import MqttSection
from linescan.errors import SinkError
from linescan.sinks.access import secret, tls
from linescan.sinks.broker import Lost, LostError
from linescan.sinks.outgoing import Outgoing

log = logging.getLogger(__name__)

STATE: Final = "state"
"""The last part of the topic that says whether we are there."""
ONLINE: Final = "online"
OFFLINE: Final = "offline"
CONNECT_S: Final = 5.0
PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
ROOM_FOR_HEADERS: Final = 1024
"""Bytes of the broker's limit on packets that are left for topic and properties."""
ANY_WINDOW: Final = 65535
REFUSED: Final = frozenset(
    {"Bad user name or password", "Not authorized", "Bad authentication method", "Banned"}
)
"""Answers that a new attempt does not change."""


class Mqtt:
    """Connects to a broker.

    Args:
        section: of the configuration.
        camera: whose state topic is kept.

    Raises:
        SinkError: a secret or a certificate cannot be had.
    """

    def __init__(self, section: MqttSection, camera: str) -> None:
        self._section = section
        self._password = secret("password", section.password_env, section.password_file)
        scheme, _, address = section.server.partition("://")
        host, port = _split(address)
        self._host, self._port = host, port or PORTS[scheme]
        self._tls = tls(section, "sinks.mqtt") if scheme == "mqtts" else None
        self._state_topic = f"{section.topics}/{camera}/{STATE}"
        # The same for ever: a broker then ends a connection of ours that it has not seen end.
        self._id = f"linescan-{camera}-{section.name}"
        self._was_there = False
        self.where = section.server

    @asynccontextmanager
    async def session(self) -> AsyncIterator[MqttSession]:
        """Connect, and say that we are there; at the end the broker says that we are not.

        Raises:
            LostError: the broker cannot be reached.
            SinkError: it refuses us.
        """
        session = MqttSession(self._client(), self._section)
        try:
            await session.connect(self._host, self._port, self._section.keepalive_s)
            self._was_there = True
            await session.publish(self._state_topic, ONLINE.encode(), retain=True)
            yield session
        except RefusedError as error:
            if self._was_there:
                raise LostError(f"it refuses us: {error}") from error
            raise SinkError(
                f"{self.where}: it refuses us ({error}): give the right user and password in"
                f" sinks.mqtt"
            ) from error
        finally:
            await asyncio.to_thread(session.close)

    def _client(self) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._id,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,  # it is the forwarder's: it sends from the journal
        )
        client.connect_timeout = CONNECT_S
        client.max_inflight_messages_set(self._section.in_flight)
        client.will_set(self._state_topic, OFFLINE, qos=1, retain=True)
        if self._section.user is not None:
            client.username_pw_set(self._section.user, self._password)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        return client


class RefusedError(Exception):
    """The broker does not want us."""


class MqttSession:
    """One connection; paho's thread does the work, and tells the event loop.

    Attributes:
        window: how many messages the broker takes unacknowledged.
        largest: bytes of the largest payload that it takes; None for no limit.
    """

    def __init__(self, client: Client, section: MqttSection) -> None:
        self._client = client
        self._section = section
        self._loop = asyncio.get_running_loop()
        self._lost = Lost()
        self._answer: asyncio.Future[ReasonCode] = self._loop.create_future()
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self.window = ANY_WINDOW
        self.largest: int | None = None
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish

    async def connect(self, host: str, port: int, keepalive_s: int) -> None:
        """Connect.

        Raises:
            LostError: the broker cannot be reached, or is not ready.
            RefusedError: it does not want us.
        """
        try:
            await asyncio.to_thread(self._client.connect, host, port, keepalive_s, clean_start=True)
        except (OSError, ValueError) as error:
            raise LostError(getattr(error, "strerror", None) or str(error)) from error
        self._client.loop_start()
        try:
            code = await asyncio.wait_for(self._answer, CONNECT_S)
        except TimeoutError as error:
            raise LostError("it does not answer") from error
        if code.is_failure:
            if str(code) in REFUSED:
                raise RefusedError(str(code).lower())
            raise LostError(str(code))

    async def send(self, message: Outgoing) -> asyncio.Future[None]:
        """Publish a message; done when the broker has acknowledged it."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.ContentType = "application/json"
        properties.UserProperty = ("id", message.id)
        topic = f"{self._section.topics}/{message.camera}/{message.word}"
        return await self.publish(topic, bytes(message.frames[0]), properties=properties)

    async def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        properties: Properties | None = None,
    ) -> asyncio.Future[None]:
        """Publish anything with QoS 1."""
        future = self._lost.future()
        info = self._client.publish(topic, payload, qos=1, retain=retain, properties=properties)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            future.cancel()
            self._lost.set("the connection was closed")
            self._lost.check()
        self._waiting[info.mid] = future
        return future

    async def pause(self, seconds: float) -> None:
        """Wait; LostError if the connection goes."""
        await self._lost.pause(seconds)

    def close(self) -> None:
        """End the connection and its thread; the broker then says that we are gone."""
        reason = ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message")
        self._client.disconnect(reason)
        self._client.loop_stop()

    def _on_connect(
        self, _: Client, __: Any, ___: ConnectFlags, code: ReasonCode, properties: Any
    ) -> None:
        self.window = getattr(properties, "ReceiveMaximum", ANY_WINDOW)
        largest = getattr(properties, "MaximumPacketSize", None)
        self.largest = None if largest is None else max(0, largest - ROOM_FOR_HEADERS)
        self._tell(self._connected, code)

    def _on_disconnect(
        self, _: Client, __: Any, ___: DisconnectFlags, code: ReasonCode, ____: Any
    ) -> None:
        self._tell(self._disconnected, code)

    def _on_publish(self, _: Client, __: Any, mid: int, code: ReasonCode, ___: Any) -> None:
        self._tell(self._published, mid, code)

    def _tell(self, what: Any, *arguments: object) -> None:
        with suppress(RuntimeError):  # the event loop has ended
            self._loop.call_soon_threadsafe(what, *arguments)

    def _connected(self, code: ReasonCode) -> None:
        if not self._answer.done():
            self._answer.set_result(code)

    def _disconnected(self, code: ReasonCode) -> None:
        reason = "the connection was closed"
        self._lost.set(f"{reason}: {code}" if code.is_failure else reason)
        self._connected(code)

    def _published(self, mid: int, code: ReasonCode) -> None:
        """The broker's answer; the event loop gets it after ``publish`` has noted the number."""
        future = self._waiting.pop(mid, None)
        if future is None or future.done():
            return
        if code.is_failure:
            future.set_exception(LostError(f"the broker does not take a message: {code}"))
        else:
            future.set_result(None)


def _split(address: str) -> tuple[str, int | None]:
    """Host and port; the brackets of an IPv6 address go."""
    host, colon, port = address.rpartition(":")
    if not colon or port.endswith("]"):
        return address.strip("[]"), None
    return host.strip("[]"), int(port)
