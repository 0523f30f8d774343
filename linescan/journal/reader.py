"""Reads a journal, also while its writer runs and prunes; never changes it."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, TypeVar

from linescan.intervals import IntervalSet
from linescan.journal.folder import Folder
from linescan.journal.index import Index, Place
from linescan.journal.keys import Content, Entry, Epoch, Stream
from linescan.journal.layout import FILE_HEADER_BYTES, Record, parse_file_header
from linescan.journal.pruned import Pruned
from linescan.journal.recovery import fits
from linescan.journal.scan import read_head, read_parts, walk
from linescan.protocol import Kind
from linescan.records import Interval

log = logging.getLogger(__name__)

T = TypeVar("T")

MOST_DAMAGED: Final = 10_000


class JournalReader:
    """Reads a journal; safe from several threads. Holds one message at a time for each iteration.

    The index makes it fast. Where it is missing, broken or behind, the segments are read instead.

    Args:
        folder: where the journal lies.

    Raises:
        JournalError: there is no journal.

    """

    def __init__(self, folder: Path) -> None:
        self._folder = Folder(folder)
        self._folder.check()
        self._damaged: set[tuple[int, int]] = set()

    @property
    def damaged(self) -> int:
        """Places met so far whose bytes are not what was written; counts ``MOST_DAMAGED`` at most.

        Each is one message that was left out, or several in a row.
        """
        return len(self._damaged)

    def contents(self) -> list[Content]:
        """What is there of each stream, in the order in which they began."""
        found: dict[Stream, Content] = {}

        def note(content: Content) -> None:
            known = found.get(content.stream)
            found[content.stream] = known.joined(content) if known else content

        positions, indexed = self._ask(lambda index: index.contents())
        there = set(self._folder.numbers())
        for number, content in indexed or ():
            if number in there:
                note(content)
        for record, _ in self._records(positions):
            note(record.content)
        return list(found.values())

    def epochs(self) -> list[Epoch]:
        """What is there, in the order in which it was written."""
        found: dict[str, list[Content]] = {}
        for content in self.contents():
            found.setdefault(content.stream.epoch, []).append(content)
        return [
            Epoch(
                epoch,
                min(content.first_ns for content in contents),
                {(c.stream.camera, c.stream.kind): c.range for c in contents},
            )
            for epoch, contents in found.items()
        ]

    def pruned(self) -> dict[Stream, int]:
        """The last numbers of streams of which nothing is left, of the last 1000 pruned epochs."""
        there = {content.stream for content in self.contents()}
        return {s: last for s, last in Pruned(self._folder).read().items() if s not in there}

    def gaps(self, epoch: str, camera: str, kind: Kind) -> list[Interval]:
        """Messages that the writer noted as never stored, in order."""
        stream = Stream(epoch, camera, kind)
        positions, known = self._ask(lambda index: index.gaps(stream))
        runs = known or []
        for record, _ in self._records(positions):
            if record.missing and record.key.stream == stream:
                runs.append(Interval(record.key.seq, record.missing))
        return list(IntervalSet(runs))

    def read(self, epoch: str, camera: str, kind: Kind, first: int, last: int) -> Iterator[Entry]:
        """The messages ``first`` to ``last`` (included) that are there, in order.

        Those that are gone, were never stored or are damaged are left out.

        Raises:
            JournalError: a later version of linescan wrote the journal.
        """
        stream, following = Stream(epoch, camera, kind), first
        positions: Mapping[int, int] = {}
        with self._index() as index, _Files(self._folder) as files:
            if index is not None:
                positions = _positions(index)
                for place in _places(index, stream, first, last) if positions else ():
                    if place is None or (record := files.record(place, stream)) is None:
                        # The index is wrong here: everything beyond is read without it.
                        positions = {}
                        break
                    following = place.seq + 1
                    if isinstance(record, Record) and (entry := self._entry(files, record)):
                        yield entry
            for record, handle in self._records(positions):
                if record.missing or record.key.stream != stream:
                    continue
                if following <= record.key.seq <= last:
                    following = record.key.seq + 1
                    if entry := self._load(handle, record):
                        yield entry

    def _entry(self, files: _Files, record: Record) -> Entry | None:
        handle = files.handle(record.segment)
        return None if handle is None else self._load(handle, record)

    def _load(self, handle: int, record: Record) -> Entry | None:
        parts = read_parts(handle, record)
        if parts is None:
            self._note_damage(record.segment, record.offset, str(record.key))
            return None
        return Entry(record.key, record.published_ns, parts)

    def _note_damage(self, number: int, offset: int, what: str) -> None:
        if (number, offset) not in self._damaged and len(self._damaged) < MOST_DAMAGED:
            self._damaged.add((number, offset))
            log.error("segment %d of the journal is damaged at byte %d: %s", number, offset, what)

    def _records(self, positions: Mapping[int, int]) -> Iterator[tuple[Record, int]]:
        """All records beyond what is indexed, with the handle of their file."""
        numbers = self._folder.numbers()
        for number in numbers:
            try:
                handle = os.open(self._folder.segment(number), os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue  # pruned meanwhile
            try:
                begin = max(positions.get(number, 0), FILE_HEADER_BYTES)
                size = os.fstat(handle).st_size
                if begin < size:
                    parse_file_header(os.pread(handle, FILE_HEADER_BYTES, 0), number)
                for found in walk(handle, number, begin, size):
                    if isinstance(found, Record):
                        yield found, handle
                    elif found.end < size or number != numbers[-1]:
                        self._note_damage(number, found.first, f"up to byte {found.end - 1}")
            finally:
                os.close(handle)

    def _ask(self, question: Callable[[Index], T]) -> tuple[Mapping[int, int], T | None]:
        """Up to where segments are indexed, and an answer; nothing where the index is no use."""
        with self._index() as index:
            try:
                return (index.positions(), question(index)) if index else ({}, None)
            except (sqlite3.Error, ValueError):
                return {}, None

    @contextlib.contextmanager
    def _index(self) -> Iterator[Index | None]:
        """The index as it is now; None where it cannot be used."""
        index: Index | None = None
        try:
            with contextlib.suppress(sqlite3.Error):
                index = Index.open(self._folder.index)
            yield index if index is not None and self._belongs(index) else None
        finally:
            if index is not None:
                index.close()

    def _belongs(self, index: Index) -> bool:
        """Whether the index is of these segments, as far as the newest one tells."""
        try:
            common = set(self._folder.numbers()) & set(index.positions())
            return fits(index, self._folder, [max(common)]) if common else True
        except FileNotFoundError:
            return True  # pruned meanwhile
        except sqlite3.Error:
            return False


def _positions(index: Index) -> Mapping[int, int]:
    try:
        return index.positions()
    except sqlite3.Error:
        return {}


def _places(index: Index, stream: Stream, first: int, last: int) -> Iterator[Place | None]:
    """Where the messages lie; None at the end where the index turns out to be broken."""
    try:
        yield from index.places(stream, first, last)
    except sqlite3.Error:
        yield None


class _Files:
    """One open segment at a time."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._number: int | None = None
        self._handle: int | None = None

    def __enter__(self) -> _Files:
        return self

    def __exit__(self, *_: object) -> None:
        if self._handle is not None:
            os.close(self._handle)

    def handle(self, number: int) -> int | None:
        """The handle of a segment; None where it is gone."""
        if number != self._number:
            if self._handle is not None:
                os.close(self._handle)
                self._handle = None
            self._number = number
            with contextlib.suppress(FileNotFoundError):
                path = self._folder.segment(number)
                self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        return self._handle

    def record(self, place: Place, stream: Stream) -> Record | bool | None:
        """The record at a place; False where its file is gone, None where another one is there."""
        handle = self.handle(place.segment)
        if handle is None:
            return False
        size = os.fstat(handle).st_size
        record = read_head(handle, place.segment, place.offset, size)
        if (
            record is None
            or record.missing
            or (record.key.stream, record.key.seq)
            != (
                stream,
                place.seq,
            )
        ):
            return None
        return record
