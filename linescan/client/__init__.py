"""The subscriber's side: importable with numpy and pyzmq alone."""

from linescan.client.connection import RefusedError, SubscribeTimeoutError
from linescan.client.curve import ClientKeys
from linescan.client.modes import Mode
from linescan.client.sequences import Gap
from linescan.client.starting import Since
from linescan.client.subscriber import Subscriber
from linescan.client.verify import AuditResult, StreamAudit

__all__ = [
    "AuditResult",
    "ClientKeys",
    "Gap",
    "Mode",
    "RefusedError",
    "Since",
    "StreamAudit",
    "SubscribeTimeoutError",
    "Subscriber",
]
