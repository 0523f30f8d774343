"""Endpoints of one publisher, as they are reached from here."""

from __future__ import annotations

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
