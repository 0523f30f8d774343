"""Where the control and status sockets are bound."""

from __future__ import annotations

import pytest

from linescan.config import PublishSection, parse
from linescan.errors import ConfigError


@pytest.mark.parametrize(
    ("data", "control", "status"),
    [
        ("tcp://127.0.0.1:5560", "tcp://127.0.0.1:5561", "tcp://127.0.0.1:5562"),
        ("tcp://[::1]:6000", "tcp://[::1]:6001", "tcp://[::1]:6002"),
        ("tcp://localhost:65533", "tcp://localhost:65534", "tcp://localhost:65535"),
        ("tcp://127.0.0.1:65534", "tcp://127.0.0.1:65533", "tcp://127.0.0.1:65532"),
        ("tcp://127.0.0.1:*", "tcp://127.0.0.1:*", "tcp://127.0.0.1:*"),
        ("ipc:///run/web", "ipc:///run/web.control", "ipc:///run/web.status"),
    ],
)
def test_they_lie_beside_the_data_socket(data: str, control: str, status: str) -> None:
    section = PublishSection(data=data)
    assert (section.control_endpoint, section.status_endpoint) == (control, status)


def test_they_are_given_or_switched_off() -> None:
    section = PublishSection(control="tcp://127.0.0.1:7000", status=None)
    assert (section.control_endpoint, section.status_endpoint) == ("tcp://127.0.0.1:7000", None)


def test_what_is_no_endpoint_is_refused() -> None:
    text = "source: {type: images, path: a}\npublish: {control: tcp://127.0.0.1}"
    with pytest.raises(ConfigError, match=r"'publish.control': expected auto, null or an endpoint"):
        parse(text, "line.yaml")
