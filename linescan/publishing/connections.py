"""Connections as the kernel sees them: libzmq tells of whole messages alone, and ends none.

A peer that sends frame after frame of one message, and never the last, is invisible at the socket:
libzmq gathers them until memory is used up. The kernel counts the bytes of each connection.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import socket
import struct
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Final, NamedTuple

log = logging.getLogger(__name__)

UNFINISHED_BYTES: Final = 4 << 20
"""Whoever has sent so much since its last whole request is cut off."""
LEAK_BYTES: Final = 100
"""So much more it may send each second: signs of life and subscriptions are not heard of."""

_OWN: Final = Path("/proc/self/fd")
_SOCKET: Final = re.compile(r"socket:\[(\d+)\]")
_RECEIVED: Final = struct.Struct("<Q")
_RECEIVED_AT: Final = 128
"""Where Linux has ``tcpi_bytes_received`` in ``struct tcp_info``, since 4.1."""


class Connection(NamedTuple):
    """One TCP connection of this process: its handle, and the inode that tells it from others."""

    handle: int
    inode: int

    @classmethod
    def at(cls, handle: int) -> Connection:
        """The connection that has a handle now.

        Raises:
            OSError: none has.
        """
        return cls(handle, os.fstat(handle).st_ino)

    @contextlib.contextmanager
    def opened(self) -> Iterator[socket.socket]:
        """The connection, by a handle of our own, so that it stays the same one.

        Raises:
            OSError: it has ended.
        """
        with socket.socket(fileno=os.dup(self.handle)) as own:
            if os.fstat(own.fileno()).st_ino != self.inode:
                raise ConnectionResetError
            yield own

    def cut(self) -> None:
        """End it; libzmq then lets go of what it has gathered, and of what waits to be sent."""
        with contextlib.suppress(OSError), self.opened() as own:
            own.shutdown(socket.SHUT_RDWR)


class Flood:
    """Cuts off who sends on and on without ending a message.

    Where the kernel does not tell (no Linux, no TCP), it does nothing.

    Args:
        ports: those that the sockets are bound to.
        clock: seconds.
    """

    def __init__(self, ports: Collection[int], clock: Callable[[], float] = time.monotonic) -> None:
        self._ports = ports
        self._clock = clock
        self._looked_s = clock()
        self._granted: dict[Connection, float] = {}
        """Up to how many bytes each may send."""
        self._heard: set[int] = set()

    def hear(self, handle: int) -> None:
        """A whole message has come from a connection."""
        self._heard.add(handle)

    def look(self) -> None:
        """Compare what has come with what may; call it once a second."""
        leaked = LEAK_BYTES * (self._clock() - self._looked_s)
        self._looked_s = self._clock()
        heard, self._heard = self._heard, set()
        granted: dict[Connection, float] = {}
        for connection, received, who in connections(self._ports):
            fresh = received if connection.handle in heard else 0
            before = self._granted.get(connection, UNFINISHED_BYTES)
            granted[connection] = max(before + leaked, fresh + UNFINISHED_BYTES)
            if received > granted[connection]:
                log.warning(
                    "%s has sent %d MB of a message without end: it is cut off", who, received >> 20
                )
                connection.cut()
        self._granted = granted


def connections(ports: Collection[int]) -> Iterator[tuple[Connection, int, str]]:
    """All TCP connections to some ports of this process: bytes received so far, and from where."""
    with contextlib.suppress(OSError):
        for path in _OWN.iterdir():
            with contextlib.suppress(OSError):
                is_socket = _SOCKET.fullmatch(str(path.readlink()))
                if is_socket:
                    yield from _connection(Connection(int(path.name), int(is_socket[1])), ports)


def _connection(found: Connection, ports: Collection[int]) -> Iterator[tuple[Connection, int, str]]:
    with found.opened() as own:
        if own.family not in (socket.AF_INET, socket.AF_INET6) or own.getsockname()[1] not in ports:
            return
        host, port, *_ = own.getpeername()  # a listener has none
        told = own.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    if len(told) >= _RECEIVED_AT + _RECEIVED.size:
        (received,) = _RECEIVED.unpack_from(told, _RECEIVED_AT)
        yield found, received, f"{host}:{port}"
