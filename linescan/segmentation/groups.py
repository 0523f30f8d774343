"""Union-find: which of many things belong together."""

from __future__ import annotations


class Groups:
    """Things 0 to ``count`` - 1, each in a group of its own until joined."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def find(self, thing: int) -> int:
        """The representative of the thing's group: its first member."""
        while self._parent[thing] != thing:
            self._parent[thing] = self._parent[self._parent[thing]]
            thing = self._parent[thing]
        return thing

    def join(self, one: int, other: int) -> None:
        """Make one group of two."""
        low, high = sorted((self.find(one), self.find(other)))
        self._parent[high] = low

    def members(self) -> list[list[int]]:
        """All groups in the order of their first members, members ascending."""
        groups: dict[int, list[int]] = {}
        for thing in range(len(self._parent)):
            groups.setdefault(self.find(thing), []).append(thing)
        return list(groups.values())
