"""Endpoints of one publisher, as they are reached from here; and options of sockets."""

from __future__ import annotations

import pytest
import zmq

from linescan.client.sockets import beside, new_socket


@pytest.mark.parametrize(
    ("data", "named", "reached"),
    [
        ("tcp://127.0.0.1:5560", "tcp://127.0.0.1:5561", "tcp://127.0.0.1:5561"),
        ("tcp://10.0.0.7:5560", "tcp://127.0.0.1:5561", "tcp://10.0.0.7:5561"),
        ("tcp://line-3.plant:5560", "tcp://0.0.0.0:5561", "tcp://line-3.plant:5561"),
        ("tcp://[fe80::1]:5560", "tcp://[::]:5561", "tcp://[fe80::1]:5561"),
        ("tcp://10.0.0.7:5560", "tcp://10.0.0.8:5561", "tcp://10.0.0.8:5561"),
        ("ipc:///run/line", "ipc:///run/line.control", "ipc:///run/line.control"),
        ("ipc:///run/line", "tcp://127.0.0.1:5561", "tcp://127.0.0.1:5561"),
    ],
)
def test_a_publisher_that_names_its_own_loopback_is_reached_at_its_address(
    data: str, named: str, reached: str
) -> None:
    assert beside(data, named) == reached


def test_no_silence_ends_a_connection() -> None:
    """While the queue of an application that pauses is full, heartbeats are not read.

    Where their time runs out then, libzmq 4.3.5 aborts the process once the application reads on.
    """
    with zmq.Context() as context, new_socket(context, zmq.SUB, mark=8) as socket:
        options = (zmq.HEARTBEAT_IVL, zmq.HEARTBEAT_TIMEOUT, zmq.TCP_MAXRT)
        assert [socket.getsockopt(option) for option in options] == [1000, 2**31 - 1, 30_000]
