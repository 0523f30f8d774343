"""Keys of a subscriber, and why a publisher refuses it."""

from __future__ import annotations

import os
import struct
import time
from pathlib import Path
from typing import Any, Final

import zmq

from linescan.errors import KeyFileError, SubscribeError
from linescan.keys import read_public, read_secret

_EVENTS: Final[int] = (
    zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)
_MISMATCH: Final = zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH
ATTEMPTS: Final = 3
"""Handshakes that fail without a word, before that is taken for a wrong key of the publisher."""
APART_S: Final = 10.0
"""Failures further apart are those of a publisher that hangs; a wrong key fails at once."""


class ClientKeys:
    """What a subscriber needs where the publisher wants keys.

    Args:
        server: the publisher's public key, or its file ``NAME.key``.
        secret: this subscriber's own secret key file, ``NAME.key_secret``.

    Raises:
        SubscribeError: a file is missing or wrong.
    """

    def __init__(self, server: str | os.PathLike[str], secret: str | os.PathLike[str]) -> None:
        if not zmq.has("curve"):
            raise SubscribeError("this build of ZeroMQ has no CURVE: install pyzmq from its wheel")
        try:
            self._server = read_public(server if isinstance(server, str) else Path(server))
            self._own = read_secret(Path(secret))
        except KeyFileError as error:
            raise SubscribeError(str(error)) from None

    def __repr__(self) -> str:
        return f"ClientKeys(public={self.public!r})"

    @property
    def public(self) -> str:
        """This subscriber's public key, which the publisher must allow."""
        return self._own.public.decode()

    def equip(self, context: zmq.Context[Any]) -> None:
        """Have all sockets that a context will make use these keys."""
        context.setsockopt(zmq.CURVE_SERVERKEY, self._server)
        context.setsockopt(zmq.CURVE_PUBLICKEY, self._own.public)
        context.setsockopt(zmq.CURVE_SECRETKEY, self._own.secret)


class Handshakes:
    """Listens how a socket's handshakes end.

    Args:
        sock: the socket, not yet connected.
        endpoint: where it connects, for texts.
        keys: those it uses, if any.

    Attributes:
        monitor: has something to read when a handshake has ended.
    """

    def __init__(self, sock: zmq.Socket[Any], endpoint: str, keys: ClientKeys | None) -> None:
        self.monitor: zmq.Socket[Any] = sock.get_monitor_socket(_EVENTS)
        self._endpoint = endpoint
        self._keys = keys
        self._failed = 0
        self._failed_at = 0.0

    @property
    def failing(self) -> bool:
        """Whether the last handshake failed, for whatever reason."""
        return self._failed > 0

    def refusal(self) -> str | None:
        """Why the publisher does not serve this subscriber, once that is certain."""
        while self.monitor.poll(0):
            event, value = struct.unpack("=Hi", self.monitor.recv())
            self.monitor.recv()  # the endpoint
            text = self._explain(event, value)
            if text is not None:
                self._failed = 0
                return text
        return None

    def _explain(self, event: int, value: int) -> str | None:
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self._failed = 0
        elif event == zmq.EVENT_HANDSHAKE_FAILED_AUTH and self._keys is not None:
            return (
                f"the publisher at {self._endpoint} does not allow this subscriber's key"
                f" '{self._keys.public}'; have it added there: linescan keys allow NAME.key"
            )
        elif event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL and value == _MISMATCH:
            if self._keys is None:
                return (
                    f"the publisher at {self._endpoint} serves only subscribers with keys: give"
                    " its public key and your secret one (--server-key and --key, or"
                    " Subscriber(keys=ClientKeys(…)))"
                )
            return (
                f"the publisher at {self._endpoint} does not use keys; leave --server-key and"
                " --key out, or have publish.security set there"
            )
        elif self._keys is not None:
            now = time.monotonic()
            self._failed = self._failed + 1 if now - self._failed_at < APART_S else 1
            self._failed_at = now
            if self._failed >= ATTEMPTS:
                return (
                    f"what answers at {self._endpoint} does not know the server key given, or does"
                    " not use keys: check that it is the publisher's public key, and the endpoint"
                )
        return None
