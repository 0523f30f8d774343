"""How sockets find a machine or a cable that is dead: by TCP, never by heartbeats of ZeroMQ.

A peer whose receive queue is full reads nothing. libzmq up to 4.3.5 aborts its process where the
connection then breaks, or the time of a heartbeat runs out, and the timer of heartbeats fires
(its issues 3937, 4364 and 4767, all open). Signs of life of TCP come from the kernel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import zmq

IDLE_S: Final = 10
INTERVAL_S: Final = 5
COUNT: Final = 4
"""A peer that acknowledges none of so many signs of life is gone: 30 s after the last one."""

KEEPALIVE: Final[Mapping[zmq.SocketOption, int]] = {
    zmq.TCP_KEEPALIVE: 1,
    zmq.TCP_KEEPALIVE_IDLE: IDLE_S,
    zmq.TCP_KEEPALIVE_INTVL: INTERVAL_S,
    zmq.TCP_KEEPALIVE_CNT: COUNT,
}
"""Options of every socket that talks to another machine."""
