"""Sockets with the options that all of the subscriber's have, and endpoints of one publisher."""

from __future__ import annotations

import re
from typing import Any, Final

import zmq

from linescan.errors import SubscribeError
from linescan.protocol.keepalive import KEEPALIVE

LOST_MS: Final = 30_000
"""A connection ends where the publisher's machine acknowledges nothing for so long."""
MAX_FRAME_BYTES: Final = 1 << 30
"""A longer frame is refused before memory is allocated for it; the connection is then cut."""

_TCP: Final = re.compile(r"tcp://(?P<host>\[[^\]]*\]|[^:\[\]]+):(?P<port>\d+)")
_HERE: Final = ("127.0.0.1", "localhost", "0.0.0.0", "*", "[::]", "[::1]")  # noqa: S104 - compared


def new_socket(context: zmq.Context[Any], kind: int, *, mark: int) -> zmq.Socket[Any]:
    """A socket that reconnects for ever; at most ``mark`` messages wait in it each way."""
    sock: zmq.Socket[Any] = context.socket(kind)
    options = {
        zmq.RCVHWM: mark,
        zmq.SNDHWM: max(mark, 1000),
        zmq.LINGER: 0,
        zmq.IPV6: 1,
        zmq.MAXMSGSIZE: MAX_FRAME_BYTES,
        zmq.RECONNECT_IVL: 100,
        zmq.RECONNECT_IVL_MAX: 2000,
        zmq.TCP_MAXRT: LOST_MS,
        **KEEPALIVE,
    }
    for option, value in options.items():
        sock.setsockopt(option, value)
    return sock


def connect(sock: zmq.Socket[Any], endpoint: str, *, to: str, example: str) -> None:
    """Connect; a socket that cannot is closed.

    Args:
        sock: new.
        endpoint: where to.
        to: what fails otherwise, for the error.
        example: an endpoint as it should be, for the error.

    Raises:
        SubscribeError: it is no endpoint.
    """
    try:
        sock.connect(endpoint)
    except zmq.ZMQError as error:
        sock.close(linger=0)
        raise SubscribeError(
            f"cannot {to} {endpoint!r}: it is no endpoint ({error.strerror}); write the"
            f" publisher's, for example {example}"
        ) from None


def beside(data: str, endpoint: str) -> str:
    """An endpoint that the publisher names, as it is reached from here.

    A publisher that is reached through another address than it knows of is behind a tunnel or
    listens everywhere: its other sockets are then at the address that works.
    """
    known, named = _TCP.fullmatch(data), _TCP.fullmatch(endpoint)
    if known is None or named is None or named["host"] not in _HERE:
        return endpoint
    return f"tcp://{known['host']}:{named['port']}"
