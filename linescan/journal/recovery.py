"""Opening a journal that may have ended at any byte: cut the torn tail, set the index right."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from typing import Final

from linescan.journal.folder import Folder, opened
from linescan.journal.index import Index, remove_index
from linescan.journal.layout import FILE_HEADER_BYTES, Record, parse_file_header
from linescan.journal.pruning import forget_gone
from linescan.journal.scan import Damage, read_parts, walk

log = logging.getLogger(__name__)

MOST_TORN: Final = 33
"""A crash leaves no more segments unfinished than a writer has open."""
_BATCH: Final = 4096
"""Records that are entered at once."""


def created_ns(handle: int, number: int) -> int:
    """When an open segment was begun; 0 where its header is damaged."""
    return parse_file_header(os.pread(handle, FILE_HEADER_BYTES, 0), number) or 0


def recover(folder: Folder) -> Index | None:
    """Cut what a crash left unfinished, and open the index or make it anew.

    Returns:
        The index, up to date; None where it cannot be had because the disk is full.

    Raises:
        OSError: the segments cannot be read or cut.
        JournalError: a later version of linescan wrote them.
    """
    index = _open_fitting(folder)
    try:
        positions = index.positions() if index else {}
        numbers = folder.numbers()
        for number in numbers[-MOST_TORN:]:
            _cut_tail(folder, number, positions.get(number, 0), last=number == numbers[-1])
        if index is None:
            remove_index(folder.index)
            index = Index.create(folder.index)
        catch_up(index, folder)
    except sqlite3.Error as error:
        log.error("%s: the journal goes on without its index: %s", folder.index, error)
        if index is not None:
            index.close()
        with contextlib.suppress(OSError):
            remove_index(folder.index)
        return None
    return index


def catch_up(
    index: Index,
    folder: Folder,
    synced: Mapping[int, int] | None = None,
    deadline: float = math.inf,
) -> bool:
    """Enter what lies in the segments and is not indexed, and forget segments that are gone.

    Args:
        index: the index.
        folder: the journal.
        synced: for segments that are being written, up to where they are on the disk. None: nobody
            writes; what is found is synced, and the parts of messages that a crash may have torn
            are checked.
        deadline: when to leave the rest to the next call, as of ``time.monotonic``.

    Returns:
        Whether nothing is left.

    Raises:
        OSError: a segment cannot be read.
        sqlite3.Error: the index cannot be written.
    """
    forget_gone(folder, index)
    positions, numbers = index.positions(), folder.numbers()
    for number in numbers:
        with opened(folder.segment(number)) as handle:
            begin, end = positions.get(number, 0), os.fstat(handle).st_size
            if synced is not None:
                begun_meanwhile = number > max(synced, default=0)
                end = min(end, synced.get(number, 0 if begun_meanwhile else end))
            elif begin < end:
                os.fdatasync(handle)  # what was not indexed may not have been on the disk either
            if begin < end:
                check = synced is None and number in numbers[-MOST_TORN:]
                span = begin, end
                if not _index_segment(index, handle, number, span, deadline, check=check):
                    return False
    return True


def _open_fitting(folder: Folder) -> Index | None:
    """The index, if it can be trusted: whole, and of these segments."""
    try:
        index = Index.open(folder.index, writable=True)
    except sqlite3.Error as error:
        if folder.index.exists():
            log.warning("%s: broken, it is made anew: %s", folder.index, error)
        return None
    try:
        if fits(index, folder, folder.numbers()):
            return index
        log.warning("%s: does not belong to these segments, it is made anew", folder.index)
    except sqlite3.Error as error:
        log.warning("%s: broken, it is made anew: %s", folder.index, error)
    index.close()
    return None


def fits(index: Index, folder: Folder, numbers: Sequence[int]) -> bool:
    """Whether an index belongs to these segments, and names nothing beyond their ends.

    Raises:
        sqlite3.Error: the index is broken.
        FileNotFoundError: one of the segments is gone.
    """
    positions, created = index.positions(), index.created()
    for number in set(numbers) & set(positions):
        with opened(folder.segment(number)) as handle:
            if os.fstat(handle).st_size < positions[number]:
                return False
            if created_ns(handle, number) != created[number]:
                return False
    return True


def _cut_tail(folder: Folder, number: int, position: int, *, last: bool) -> None:
    """Cut a segment after its last whole record; one without any record and header goes.

    Where others follow it, a message that is damaged stays: it is evidence.
    """
    path = folder.segment(number)
    with opened(path, os.O_RDWR) as handle:
        size = os.fstat(handle).st_size
        whole = position
        for found in walk(handle, number, max(position, FILE_HEADER_BYTES), size):
            if isinstance(found, Damage):
                continue
            if not last or read_parts(handle, found) is not None:
                whole = found.end
        if not whole and created_ns(handle, number):
            whole = FILE_HEADER_BYTES
        if whole < size:
            log.warning("%s: cut %d bytes that a crash left unfinished", path, size - whole)
            os.ftruncate(handle, whole)
            os.fsync(handle)
    if not whole:
        path.unlink()


def _index_segment(
    index: Index, handle: int, number: int, span: tuple[int, int], deadline: float, *, check: bool
) -> bool:
    """Enter a part of a segment; with ``check``, only messages whose parts are whole.

    Returns:
        Whether the deadline left time for all of it.
    """
    created = {number: created_ns(handle, number)}
    batch: list[Record] = []
    begin, end = span
    for found in walk(handle, number, max(begin, FILE_HEADER_BYTES), end):
        if isinstance(found, Damage):
            log.error(
                "segment %d of the journal is damaged at bytes %d to %d",
                number,
                found.first,
                found.end - 1,
            )
            continue
        if check and read_parts(handle, found) is None:
            log.error("segment %d of the journal is damaged: %s", number, found.key)
            continue
        batch.append(found)
        if len(batch) >= _BATCH:
            index.add(batch, {number: found.end}, created)
            batch.clear()
            if time.monotonic() >= deadline:
                return False
    index.add(batch, {number: end}, created)
    return True
