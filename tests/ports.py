"""Ports for processes that are told theirs before they bind."""

from __future__ import annotations

import contextlib
import random
import socket

LOW, HIGH = 12_000, 32_000
"""Below those that systems give to outgoing connections, which would take one in the meantime."""


def free_port(count: int = 1) -> int:
    """The first of so many free ports in a row on 127.0.0.1.

    A pipeline's data port brings two more: control and status follow it.
    """
    choose = random.SystemRandom()  # tests that run beside this one choose others
    while True:
        first = choose.randrange(LOW, HIGH)
        if all(_is_free(first + i) for i in range(count)):
            return first


def _is_free(port: int) -> bool:
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.bind(("127.0.0.1", port))
        return True
    return False
