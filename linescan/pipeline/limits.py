"""A source that ends after a number of lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from linescan.records import Interval, LineBlock, Loss
from linescan.sources.base import Source, SourceInfo


class LimitedSource:
    """Gives the first ``lines`` lines of a source; the block at the limit is cut.

    Lines past the limit count as not captured: they were never asked for.
    """

    def __init__(self, source: Source, lines: int) -> None:
        self._source = source
        self._limit = lines
        self._first: int | None = None

    @property
    def description(self) -> SourceInfo:
        """As the source's, with the total number of lines."""
        info = self._source.description
        total = self._limit if info.total_lines is None else min(info.total_lines, self._limit)
        return replace(info, total_lines=total)

    def open(self, captured: Callable[[Iterable[Interval]], None]) -> None:
        """Open the source."""
        self._source.open(lambda lines: captured(self._clip(lines)))

    def items(self) -> Iterator[LineBlock | Loss]:
        """Items up to the limit; the source is not asked for more."""
        for item in self._source.items():
            for kept in self._clip(item.lines()):
                if isinstance(item, Loss):
                    yield replace(item, count=kept.count)
                else:
                    yield replace(item, valid_rows=kept.count)
            if self._reached(item):
                return

    def _reached(self, item: LineBlock | Loss) -> bool:
        first = self._first
        return first is not None and any(i.end >= first + self._limit for i in item.lines())

    def stop(self) -> None:
        """End soon."""
        self._source.stop()

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def _clip(self, intervals: Iterable[Interval]) -> Iterator[Interval]:
        for interval in intervals:
            if self._first is None:
                self._first = interval.first
            count = min(interval.end, self._first + self._limit) - interval.first
            if count > 0:
                yield Interval(interval.first, count)
