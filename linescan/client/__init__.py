"""The subscriber's side: importable with numpy and pyzmq alone."""

from linescan.client.connection import SubscribeTimeoutError
from linescan.client.modes import Mode
from linescan.client.sequences import Gap
from linescan.client.starting import Since
from linescan.client.subscriber import Subscriber
from linescan.client.verify import AuditResult, StreamAudit

__all__ = [
    "AuditResult",
    "Gap",
    "Mode",
    "Since",
    "StreamAudit",
    "SubscribeTimeoutError",
    "Subscriber",
]
