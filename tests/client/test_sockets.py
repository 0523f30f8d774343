"""Endpoints of one publisher, as they are reached from here; and options of sockets."""

from __future__ import annotations

import subprocess
import sys

import pytest

from linescan.client.sockets import beside


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


def test_a_publisher_that_ends_does_not_abort_a_subscriber_that_pauses() -> None:
    """A full receive queue, a publisher that ends, and time for a timer of heartbeats to fire.

    With ZMQ_HEARTBEAT_IVL set, libzmq 4.3.5 aborts the process here, so it has one of its own.
    """
    program = """
import time
import zmq
from linescan.client.sockets import new_socket
context = zmq.Context()
socket = new_socket(context, zmq.SUB, mark=1)
socket.subscribe(b"")
with zmq.Context() as other:
    publisher = other.socket(zmq.PUB)
    port = publisher.bind_to_random_port("tcp://127.0.0.1")
    socket.connect(f"tcp://127.0.0.1:{port}")
    socket.setsockopt(zmq.RCVTIMEO, 50)
    while True:
        publisher.send(bytes(1 << 16))
        try:
            socket.recv()
            break
        except zmq.Again:
            pass
    for _ in range(50):
        publisher.send(bytes(1 << 20))
    time.sleep(1.0)
    publisher.close(linger=0)
time.sleep(3)
print("alive")
socket.close(linger=0)
context.term()
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.returncode) == ("alive\n", 0), done.stderr
