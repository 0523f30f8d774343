"""Sets of camera lines as sorted, disjoint, merged intervals."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

from linescan.records import Interval


class IntervalSet:
    """A set of lines; memory grows with the number of gaps, not of lines."""

    __slots__ = ("_ends", "_firsts")

    def __init__(self, intervals: Iterable[Interval] = ()) -> None:
        self._firsts: list[int] = []
        self._ends: list[int] = []
        for interval in intervals:
            self.add(interval)

    def __iter__(self) -> Iterator[Interval]:
        for first, end in zip(self._firsts, self._ends, strict=True):
            yield Interval(first, end - first)

    def __len__(self) -> int:
        return len(self._firsts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IntervalSet) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment] # mutable

    def __repr__(self) -> str:
        return f"IntervalSet({list(self)})"

    def count(self) -> int:
        """Number of lines in the set."""
        return sum(self._ends) - sum(self._firsts)

    def add(self, interval: Interval) -> None:
        """Add lines; touching intervals merge."""
        if interval.count <= 0:
            return
        first, end = interval.first, interval.end
        low = bisect_left(self._ends, first)
        high = bisect_right(self._firsts, end)
        if low < high:
            first = min(first, self._firsts[low])
            end = max(end, self._ends[high - 1])
        self._firsts[low:high] = [first]
        self._ends[low:high] = [end]

    def union(self, other: IntervalSet) -> IntervalSet:
        """Lines in either set."""
        result = IntervalSet(self)
        for interval in other:
            result.add(interval)
        return result

    def intersection(self, other: IntervalSet) -> IntervalSet:
        """Lines in both sets."""
        result = IntervalSet()
        i = j = 0
        while i < len(self) and j < len(other):
            first = max(self._firsts[i], other._firsts[j])
            end = min(self._ends[i], other._ends[j])
            if first < end:
                result.add(Interval(first, end - first))
            if self._ends[i] < other._ends[j]:
                i += 1
            else:
                j += 1
        return result

    def minus(self, other: IntervalSet) -> IntervalSet:
        """Lines in this set and not in the other."""
        result = IntervalSet()
        for first, end in zip(self._firsts, self._ends, strict=True):
            at = first
            for k in range(bisect_right(other._ends, first), len(other)):
                if other._firsts[k] >= end:
                    break
                result.add(Interval(at, other._firsts[k] - at))
                at = other._ends[k]
            result.add(Interval(at, end - at))
        return result

    def below(self, line: int) -> IntervalSet:
        """Lines smaller than ``line``."""
        return IntervalSet(Interval(i.first, min(i.end, line) - i.first) for i in self)

    def from_line(self, line: int) -> IntervalSet:
        """Lines not smaller than ``line``."""
        clipped = ((max(i.first, line), i.end) for i in self)
        return IntervalSet(Interval(first, end - first) for first, end in clipped)

    def line_at(self, index: int) -> int:
        """The line at a position in the sorted set; the end where ``index`` is past it."""
        for interval in self:
            if index < interval.count:
                return interval.first + index
            index -= interval.count
        return self._ends[-1] if self._ends else 0
