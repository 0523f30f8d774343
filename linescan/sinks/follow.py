"""What is new in the journal for a sink: in order, with what is gone said in its place."""

from __future__ import annotations

import heapq
import itertools
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from linescan.journal import Content, Entry, JournalReader, Stream
from linescan.sinks.cursor import Cursor
from linescan.sinks.outgoing import Gone

Item = Entry | Gone
_LATEST: Final = sys.maxsize


class Follower:
    """Reads on from a cursor; holds one message of each stream of one epoch at a time.

    Args:
        folder: the journal's.
        cursor: up to where is done.

    Attributes:
        behind: messages that the journal held beyond the cursor at the last look.

    Raises:
        JournalError: there is no journal.
    """

    def __init__(self, folder: Path, cursor: Cursor) -> None:
        self._reader = JournalReader(folder)
        self._cursor = cursor
        # What was begun may have gone as a whole while nobody looked.
        pruned = self._reader.pruned().items()
        self._seen = {stream: last for stream, last in pruned if cursor[stream] >= 0}
        self.behind = 0
        if cursor.is_new:
            # What was gone before this sink existed was never promised to it.
            for content in self._reader.contents():
                cursor.begin(content.stream, content.range.oldest - 1)

    def new(self) -> Iterator[Item]:
        """All that is there beyond the cursor now.

        Epoch by epoch, and within one by time of publication; in each stream by number.
        """
        contents = self._reader.contents()
        there = {content.stream: content.range.last for content in contents}
        self.behind = sum(max(0, last - self._cursor[s]) for s, last in there.items())
        vanished = {s: last for s, last in self._seen.items() if s not in there}
        self._seen = there
        return itertools.chain(self._vanished(vanished), self._all(contents))

    def _vanished(self, streams: dict[Stream, int]) -> Iterator[Gone]:
        for stream, last in streams.items():
            if self._cursor[stream] < last:
                yield Gone(stream, self._cursor[stream] + 1, last)

    def _all(self, contents: Iterable[Content]) -> Iterator[Item]:
        for _, group in itertools.groupby(
            _in_order_of_epochs(contents), key=lambda content: content.stream.epoch
        ):
            streams = [self._one(content.stream, content.range.last) for content in group]
            for _, item in heapq.merge(*streams, key=lambda timed: timed[0]):
                yield item

    def _one(self, stream: Stream, last: int) -> Iterator[tuple[int, Item]]:
        """What is new in one stream, with the time that it is sorted by, ns."""
        expected = self._cursor[stream] + 1
        if expected > last:
            return
        for entry in self._reader.read(*stream, expected, last):
            if entry.key.seq > expected:
                yield entry.published_ns, Gone(stream, expected, entry.key.seq - 1)
            yield entry.published_ns, entry
            expected = entry.key.seq + 1
        if expected <= last:
            yield _LATEST, Gone(stream, expected, last)


def _in_order_of_epochs(contents: Iterable[Content]) -> list[Content]:
    began: dict[str, int] = {}
    for number, content in enumerate(contents := list(contents)):
        began.setdefault(content.stream.epoch, number)
    return sorted(contents, key=lambda content: began[content.stream.epoch])
