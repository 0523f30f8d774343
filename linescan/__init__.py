"""Real-time line-scan camera pipeline: lines in, depth, masks and objects out over ZeroMQ.

Importing this package loads nothing heavy: ``linescan.Subscriber`` needs numpy and pyzmq alone.
"""

from typing import TYPE_CHECKING

from linescan.version import __version__

if TYPE_CHECKING:
    from linescan.client.subscriber import Subscriber as Subscriber

__all__ = ["Subscriber", "__version__"]


def __getattr__(name: str) -> object:
    """Load public names on first use, so that ``import linescan`` stays instant."""
    if name == "Subscriber":
        from linescan.client.subscriber import Subscriber

        return Subscriber
    raise AttributeError(f"module 'linescan' has no attribute {name!r}")
