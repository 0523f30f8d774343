"""Brokers that get what the journal keeps: NATS JetStream and MQTT 5.

Each sink reads the journal from where the broker's last acknowledgement was. Its client library is
imported when its broker is made.
"""

from linescan.sinks.broker import Broker, LostError, Session
from linescan.sinks.cursor import Cursor
from linescan.sinks.factory import build_forwarders
from linescan.sinks.forwarder import Forwarder
from linescan.sinks.outgoing import Outgoing, outgoing
from linescan.sinks.state import State

__all__ = [
    "Broker",
    "Cursor",
    "Forwarder",
    "LostError",
    "Outgoing",
    "Session",
    "State",
    "build_forwarders",
    "outgoing",
]
