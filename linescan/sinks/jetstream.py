"""NATS JetStream: a stream that the server keeps, and drops second copies from."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import DiscardPolicy, PubAck, RetentionPolicy, StorageType, StreamConfig
from nats.js.client import JetStreamContext
from nats.js.errors import APIError, NotFoundError, ServiceUnavailableError

from linescan.config.sinks import NatsSection
from linescan.errors import SinkError
from linescan.sinks.access import secret, tls
from linescan.sinks.broker import Lost, LostError
from linescan.sinks.outgoing import Outgoing
from linescan.sinks.stream_check import differences

log = logging.getLogger(__name__)

ROOM_FOR_HEADERS: Final = 2048
"""Bytes of the server's limit on messages that are left for our headers."""
LEAST_PAYLOAD: Final = 2 * ROOM_FOR_HEADERS
CONNECT_S: Final = 5
CLOSE_S: Final = 1
"""All that counts was acknowledged before; after a failed handshake the library waits for ever."""


class JetStream:
    """Connects to a server of the cluster, and makes or checks the stream.

    Args:
        section: of the configuration.

    Raises:
        SinkError: a secret or a certificate cannot be had.
    """

    def __init__(self, section: NatsSection) -> None:
        self._section = section
        self._identity = _identity(section)
        self._next = 0
        self._was_there = False
        self.where = ", ".join(section.servers)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[JetStreamSession]:
        """Connect, and make or check the stream.

        Raises:
            LostError: no server answers, or JetStream is not ready.
            SinkError: the server refuses us, its messages are too small, or the stream is not as
                stated.
        """
        server = self._section.servers[self._next % len(self._section.servers)]
        self._next += 1  # the next attempt goes to the next server
        lost = Lost()
        client = await self._connect(server, lost)
        try:
            context = client.jetstream(
                timeout=self._section.timeout_s,
                publish_async_max_pending=1 << 20,  # the forwarder's window is the limit
            )
            try:
                await self._stream(context)
            except (NatsError, OSError, TimeoutError) as error:
                raise LostError(f"JetStream is not ready: {_words(error)}") from error
            self._was_there = True
            if client.max_payload < LEAST_PAYLOAD:
                raise SinkError(
                    f"{self.where}: the server takes messages of {client.max_payload} bytes at"
                    f" most: raise its max_payload to {LEAST_PAYLOAD} or more"
                )
            yield JetStreamSession(client, context, lost, self._section)
        finally:
            await _close(client)

    async def _connect(self, server: str, lost: Lost) -> Client:
        """Connect to one server.

        Raises:
            LostError: it does not answer.
            SinkError: it refuses us, and never did otherwise.
        """
        errors: list[Exception] = []

        async def closed() -> None:
            lost.set("the connection was closed")

        async def failed(error: Exception) -> None:
            errors[:] = [error]
            if "permissions violation" in str(error).lower():
                lost.set(_words(error))  # no acknowledgement will come

        client = Client()
        try:
            await client.connect(
                server,
                name="linescan forward",
                # Reconnecting is the forwarder's: it sends again from the journal.
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=CONNECT_S,
                ping_interval=5,
                max_outstanding_pings=2,
                closed_cb=closed,
                disconnected_cb=closed,
                error_cb=failed,
                **self._identity,
            )
        except (NatsError, OSError, TimeoutError) as error:
            await _close(client)
            # What the library raises at last may be that it has no server left to try.
            reason = errors[0] if errors else error
            if not self._was_there and "authorization" in f"{error} {reason}".lower():
                raise SinkError(
                    f"{server}: it refuses us: give the right user, token or credentials in"
                    f" sinks.nats"
                ) from error
            raise LostError(_words(reason)) from error
        return client

    async def _stream(self, context: JetStreamContext) -> None:
        """Make the stream, or check the one that is there.

        Raises:
            SinkError: it is not as stated, or must not be made.
        """
        section = self._section
        wanted = stream_config(section)
        try:
            found = (await context.stream_info(section.stream)).config
        except ServiceUnavailableError:
            raise
        except NotFoundError as error:
            if not section.create:
                raise SinkError(
                    f"{self.where}: there is no stream {section.stream!r}: make it, or set"
                    f" sinks.nats.create"
                ) from error
            try:
                await context.add_stream(wanted)
            except ServiceUnavailableError:
                raise
            except APIError as refused:
                raise SinkError(
                    f"{self.where}: the server does not make the stream {section.stream!r}:"
                    f" {refused.description}"
                ) from refused
            log.info("%s: made the stream %s", self.where, section.stream)
            return
        wrong = differences(found, wanted, all_of_it=section.create)
        if wrong:
            raise SinkError(
                f"{self.where}: the stream {section.stream!r} is not as sinks.nats states:"
                f" {'; '.join(wrong)}: change one of them"
            )


class JetStreamSession:
    """One connection to a server.

    Attributes:
        window: no limit of the server's.
        largest: None: what the server does not take whole travels in chunks.
    """

    def __init__(
        self, client: Client, context: JetStreamContext, lost: Lost, section: NatsSection
    ) -> None:
        self._client = client
        self._context = context
        self._lost = lost
        self._section = section
        self.window = section.in_flight
        self.largest: int | None = None

    async def send(self, message: Outgoing) -> asyncio.Future[None]:
        """Publish a message, in chunks where it must be; done when the stream has all of it."""
        done = self._lost.future()
        subject = subject_of(self._section.subjects, message)
        left = 0
        acks: list[asyncio.Future[PubAck]] = []

        def note(ack: asyncio.Future[PubAck]) -> None:
            nonlocal left
            left -= 1
            if ack.cancelled() or done.done():
                return
            if error := ack.exception():
                done.set_exception(LostError(_words(error)))
            elif left == 0 and len(acks) == chunks:
                done.set_result(None)

        pieces = list(pack(message, self._client.max_payload - ROOM_FOR_HEADERS))
        chunks = len(pieces)
        try:
            for headers, payload in pieces:
                ack = await self._context.publish_async(
                    subject, payload, headers=headers, stream=self._section.stream
                )
                left += 1
                acks.append(ack)
            for ack in acks:
                ack.add_done_callback(note)
        except (NatsError, OSError, TimeoutError) as error:
            self._lost.set(_words(error))
            raise LostError(_words(error)) from error
        return done

    async def pause(self, seconds: float) -> None:
        """Wait; LostError if the connection goes."""
        await self._lost.pause(seconds)


def subject_of(prefix: str, message: Outgoing) -> str:
    """The subject of a message; a full stop in a camera's name is written %2E."""
    return f"{prefix}.{message.camera.replace('.', '%2E')}.{message.word}"


def pack(message: Outgoing, most: int) -> Iterator[tuple[dict[str, Any], bytes]]:
    """The headers and payload of each chunk of a message; one where it fits.

    Args:
        message: its frames are joined.
        most: bytes of a payload.
    """
    whole = b"".join(bytes(frame) for frame in message.frames)
    lengths = ",".join(str(memoryview(frame).nbytes) for frame in message.frames)
    count = max(1, -(-len(whole) // most))
    for number in range(count):
        headers = {"Nats-Msg-Id": message.id, "Linescan-Frames": lengths}
        if count > 1:
            headers["Nats-Msg-Id"] = f"{message.id}/{number}"
            headers["Linescan-Chunk"] = f"{number}/{count}"
        yield headers, whole[number * most : (number + 1) * most]


def stream_config(section: NatsSection) -> StreamConfig:
    """The stream that a configuration states."""
    return StreamConfig(
        name=section.stream,
        description="What linescan lines publish",
        subjects=[f"{section.subjects}.>"],
        retention=RetentionPolicy.LIMITS,
        discard=DiscardPolicy.OLD,
        storage=StorageType(section.storage),
        num_replicas=section.replicas,
        duplicate_window=section.duplicate_window_s,
        max_age=section.max_age_h * 3600,
        max_bytes=int(section.max_gb * 1e9) or -1,
    )


def _identity(section: NatsSection) -> dict[str, Any]:
    """How we say who we are."""
    options: dict[str, Any] = {}
    if section.user is not None:
        options["user"] = section.user
        options["password"] = secret("password", section.password_env, section.password_file)
    token = secret("token", section.token_env, section.token_file)
    if token is not None:
        options["token"] = token
    if section.credentials is not None:
        if not section.credentials.is_file():
            raise SinkError(f"sinks.nats.credentials: there is no file {section.credentials}")
        options["user_credentials"] = str(section.credentials)
    secure = any(server.startswith("tls:") for server in section.servers)
    if secure or section.ca or section.cert:
        options["tls"] = tls(section, "sinks.nats")
    return options


async def _close(client: Client) -> None:
    """Close; the library tries to send what is left, which must not take for ever."""
    with suppress(NatsError, OSError, TimeoutError):
        await asyncio.wait_for(client.close(), CLOSE_S)


def _words(error: BaseException) -> str:
    """An error of the client library in words."""
    if isinstance(error, APIError) and error.description:
        return str(error.description)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).removeprefix("nats: ") or type(error).__name__
