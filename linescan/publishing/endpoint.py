"""Binding a socket, with errors that say what to do."""

from __future__ import annotations

import errno
import re
import socket
import time
from pathlib import Path
from typing import Any, Final

import zmq

from linescan.errors import PublishError

HANDSHAKE_MS: Final = 5000
"""Whoever connects and has not said the first words of ZeroMQ by then is cut off."""

_CURES: Final = {
    zmq.EADDRINUSE: "it is taken by another program; stop that, or choose another port"
    " (tcp://127.0.0.1:* takes a free one)",
    zmq.EADDRNOTAVAIL: "this machine has no such address; use 127.0.0.1",
    errno.ENODEV: "this machine has no such address or interface (names of other machines cannot be"
    " bound); 0.0.0.0 stands for all of its addresses",
    errno.EACCES: "this user may not open it; choose a port above 1023 or another folder",
    errno.ENOENT: "its folder does not exist; create it",
    errno.ENAMETOOLONG: "the path is too long for a socket; choose a shorter one",
}

_PORT: Final = re.compile(r"tcp://.*:(\d+)")
_MAPPED: Final = re.compile(r"\[::ffff:([0-9.]+)\]")


def bind(sock: zmq.Socket[Any], endpoint: str) -> str:
    """Bind and give the endpoint that was really taken.

    Raises:
        PublishError: it cannot be had; the text names the endpoint and the cure.
    """
    _refuse_taken_path(endpoint)
    try:
        # For binding, ZeroMQ takes addresses and interfaces but no host names.
        sock.bind(endpoint.replace("//localhost:", "//127.0.0.1:"))
    except zmq.ZMQError as error:
        cure = _CURES.get(error.errno or 0, f"{error.strerror}; write e.g. tcp://127.0.0.1:5560")
        raise PublishError(f"cannot publish at {endpoint}: {cure}") from error
    # A socket that takes both families names IPv4 addresses in the form of IPv6.
    return _MAPPED.sub(r"\1", sock.getsockopt_string(zmq.LAST_ENDPOINT))


def port_of(endpoint: str | None) -> int | None:
    """The port of a TCP endpoint."""
    found = _PORT.fullmatch(endpoint or "")
    return int(found[1]) if found else None


def rebind(sock: zmq.Socket[Any], endpoint: str, timeout_s: float) -> None:
    """Bind to what a socket that was just closed had; ZeroMQ releases it a moment later.

    Raises:
        PublishError: it was not released in time.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            bind(sock, endpoint)
        except PublishError as error:
            # An error kept in a name here would keep itself, and the callers' messages, alive.
            if not _is_taken(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _is_taken(error: PublishError) -> bool:
    cause = error.__cause__
    return isinstance(cause, zmq.ZMQError) and cause.errno == zmq.EADDRINUSE


def _refuse_taken_path(endpoint: str) -> None:
    """ZeroMQ would silently take an ipc path away from the program that listens there."""
    path = endpoint.removeprefix("ipc://")
    if path == endpoint or not Path(path).is_socket():
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            return  # a leftover: nobody listens
    taken = zmq.ZMQError(zmq.EADDRINUSE)
    raise PublishError(f"cannot publish at {endpoint}: {_CURES[zmq.EADDRINUSE]}") from taken
