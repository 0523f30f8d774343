"""Who listens to what, counted from the subscription messages of an XPUB socket."""

from __future__ import annotations

from collections.abc import Iterable


class Subscriptions:
    """Counts subscribed peers for each topic.

    A subscription is a prefix. Prefixes that match none of the topics are not kept, so memory is
    bounded by the topics. The socket must be verbose (``XPUB_VERBOSER``): it then reports each
    peer's subscriptions, also those that end because the peer is gone.

    Args:
        topics: all topics that are published here.
    """

    def __init__(self, topics: Iterable[bytes]) -> None:
        self._topics = tuple(topics)
        self._peers: dict[bytes, int] = {}

    def note(self, message: bytes) -> None:
        """Take note of one message from the socket: 1 or 0, then the prefix."""
        action, prefix = message[:1], message[1:]
        if action not in (b"\x00", b"\x01") or not self._matches(prefix):
            return
        peers = self._peers.get(prefix, 0) + (1 if action == b"\x01" else -1)
        if peers > 0:
            self._peers[prefix] = peers
        else:
            self._peers.pop(prefix, None)

    def peers(self, topic: bytes) -> int:
        """Number of peers that get a topic; one that subscribed twice over counts twice."""
        return sum(n for prefix, n in list(self._peers.items()) if topic.startswith(prefix))

    def clear(self) -> None:
        """Forget all peers: the socket was closed."""
        self._peers = {}

    def __len__(self) -> int:
        return len(self._peers)

    def _matches(self, prefix: bytes) -> bool:
        return any(topic.startswith(prefix) for topic in self._topics)
