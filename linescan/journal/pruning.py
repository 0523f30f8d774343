"""Removes whole segments: the file first, then what the index says about it."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from linescan.errors import JournalError
from linescan.journal.folder import Folder, opened, sync_folder
from linescan.journal.index import Index
from linescan.journal.keys import Stream
from linescan.journal.layout import FILE_HEADER_BYTES, Record
from linescan.journal.pruned import Pruned
from linescan.journal.retention import Acknowledged, Choice, Closed, Limits, choose
from linescan.journal.scan import walk

log = logging.getLogger(__name__)


def closed_segments(folder: Folder, index: Index | None, before: int) -> list[Closed]:
    """All segments with a number below ``before``, oldest first.

    Raises:
        sqlite3.Error: the index cannot be read.
    """
    last: dict[int, dict[Stream, int]] = defaultdict(dict)
    newest: dict[int, int] = {}
    positions = index.positions() if index else {}
    for number, content in index.contents() if index else ():
        last[number][content.stream] = content.range.last
        newest[number] = max(newest.get(number, 0), content.last_ns)
    found = []
    for number in folder.numbers():
        if number >= before:
            break
        try:
            stat = folder.segment(number).stat()
        except FileNotFoundError:
            continue
        if positions.get(number) == stat.st_size:
            found.append(Closed(number, stat.st_size, newest.get(number, 0), last[number]))
        else:  # what the index does not know may be newer, and acknowledged by nobody
            found.append(Closed(number, stat.st_size, stat.st_mtime_ns, None))
    return found


def prune(
    folder: Folder,
    index: Index | None,
    limits: Limits,
    keep_for: Mapping[str, Acknowledged],
    before: int,
) -> list[Choice]:
    """Remove the segments that may go.

    Raises:
        OSError: a file cannot be removed.
    """
    chosen = select(folder, index, limits, keep_for, before)
    remove(folder, index, chosen)
    if index is not None:
        try:
            forget_gone(folder, index)
        except sqlite3.Error as error:
            log.warning("%s: still names removed segments: %s", folder.index, error)
    return chosen


def select(
    folder: Folder,
    index: Index | None,
    limits: Limits,
    keep_for: Mapping[str, Acknowledged],
    before: int,
) -> list[Choice]:
    """The segments with a number below ``before`` that may go."""
    try:
        segments = closed_segments(folder, index, before)
    except sqlite3.Error as error:
        log.warning("%s: retention does without it: %s", folder.index, error)
        segments = closed_segments(folder, None, before)
    return choose(segments, limits, keep_for)


def remove(folder: Folder, index: Index | None, chosen: Sequence[Choice]) -> None:
    """Remove segments; readers that have one open keep it until they are done.

    Raises:
        OSError: a file cannot be removed.
    """
    if not chosen:
        return
    _note(folder, index, [choice.number for choice in chosen])
    for choice in chosen:
        folder.segment(choice.number).unlink(missing_ok=True)
        for name in choice.cut_off:
            log.warning(
                "segment %d of the journal goes before %s has acknowledged it: the journal has its"
                " full size (journal.max_gb)",
                choice.number,
                name,
            )
    sync_folder(folder.segments)


def forget_gone(folder: Folder, index: Index) -> None:
    """Take segments out of the index that are no longer there, whoever removed them.

    Raises:
        sqlite3.Error: the index is broken.
    """
    gone = sorted(set(index.positions()) - set(folder.numbers()))
    if gone:
        _note(folder, index, gone)
        index.remove(gone)


def _note(folder: Folder, index: Index | None, numbers: Sequence[int]) -> None:
    """Write down up to where streams go with these segments; room is made even where that fails."""
    positions: Mapping[int, int] = {}
    lasts: dict[Stream, int] = {}
    try:
        if index is not None:
            positions = index.positions()
            for number, content in index.contents():
                if number in numbers:
                    stream, last = content.stream, content.range.last
                    lasts[stream] = max(last, lasts.get(stream, -1))
    except sqlite3.Error as error:
        log.debug("%s: the segments are read instead: %s", folder.index, error)
        positions = {}
    try:
        for number in numbers:
            for record in _unknown(folder, number, positions.get(number, 0)):
                stream = record.key.stream
                lasts[stream] = max(record.last_seq, lasts.get(stream, -1))
        Pruned(folder).note(lasts)
    except (OSError, JournalError) as error:
        log.warning("%s: up to where was pruned is not noted: %s", folder.pruned, error)


def _unknown(folder: Folder, number: int, position: int) -> Iterator[Record]:
    """What a segment holds beyond its indexed part."""
    with contextlib.suppress(FileNotFoundError), opened(folder.segment(number)) as handle:
        begin, size = max(position, FILE_HEADER_BYTES), os.fstat(handle).st_size
        yield from (r for r in walk(handle, number, begin, size) if isinstance(r, Record))
