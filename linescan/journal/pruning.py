"""Removes whole segments: the file first, then what the index says about it."""

from __future__ import annotations

import logging
import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence

from linescan.journal.folder import Folder, sync_folder
from linescan.journal.index import Index
from linescan.journal.keys import Stream
from linescan.journal.retention import Acknowledged, Choice, Closed, Limits, choose

log = logging.getLogger(__name__)


def closed_segments(folder: Folder, index: Index | None, before: int) -> list[Closed]:
    """All segments with a number below ``before``, oldest first.

    Raises:
        sqlite3.Error: the index cannot be read.
    """
    last: dict[int, dict[Stream, int]] = defaultdict(dict)
    newest: dict[int, int] = {}
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
        at = newest.get(number, stat.st_mtime_ns)
        found.append(Closed(number, stat.st_size, at, last.get(number)))
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
    remove(folder, chosen)
    forget_gone(folder, index)
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


def remove(folder: Folder, chosen: Sequence[Choice]) -> None:
    """Remove segments; readers that have one open keep it until they are done.

    Raises:
        OSError: a file cannot be removed.
    """
    for choice in chosen:
        folder.segment(choice.number).unlink(missing_ok=True)
        for name in choice.cut_off:
            log.warning(
                "segment %d of the journal goes before %s has acknowledged it: the journal has its"
                " full size (journal.max_gb)",
                choice.number,
                name,
            )
    if chosen:
        sync_folder(folder.segments)


def forget_gone(folder: Folder, index: Index | None) -> None:
    """Take segments out of the index that are no longer there, whoever removed them."""
    if index is None:
        return
    try:
        gone = set(index.positions()) - set(folder.numbers())
        if gone:
            index.remove(sorted(gone))
    except sqlite3.Error as error:
        log.warning("%s: still names removed segments: %s", folder.index, error)
