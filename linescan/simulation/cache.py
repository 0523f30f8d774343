"""A small least-recently-used store, so that an endless web needs bounded memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LruCache(Generic[K, V]):
    """Keeps the ``capacity`` values used last.

    ``functools.lru_cache`` on a method would keep its web alive for ever; this one dies with it.
    """

    def __init__(self, capacity: int) -> None:
        """Make an empty cache for at most ``capacity`` values (one or more)."""
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {capacity}")
        self._capacity = capacity
        self._values: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        """Return how many values are held now."""
        return len(self._values)

    def get(self, key: K, make: Callable[[K], V]) -> V:
        """Return the value of ``key``, made by ``make(key)`` if it is not held."""
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key]
        value = make(key)
        self._values[key] = value
        while len(self._values) > self._capacity:
            self._values.popitem(last=False)
        return value
