"""What a pipeline that was killed had published and not yet written: it is written now."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from linescan.journal.folder import Folder
from linescan.journal.keys import Key, Stream
from linescan.journal.layout import Record
from linescan.journal.pruned import Pruned
from linescan.journal.scan import read_head, read_parts
from linescan.journal.spool import NUMBER, PAGE, PREFIX, SHARED, lock
from linescan.protocol import Buffer

log = logging.getLogger(__name__)


def rescue(
    folder: Folder,
    last: Callable[[Stream], int],
    append: Callable[[Key, int, Sequence[Buffer]], None],
    miss: Callable[[Key], None],
) -> None:
    """Write what waited in the spool when the process before this one was killed.

    Args:
        folder: the journal.
        last: the last number of a stream that the journal knows.
        append: writes a message.
        miss: notes that a message is missing.

    Raises:
        JournalError: one of them cannot; the spool stays as it is.
    """
    count, pruned = 0, Pruned(folder).read()
    with _left_behind(folder) as messages:
        for record, parts in messages:
            key = record.key
            known = max(last(key.stream), pruned.get(key.stream, -1))
            if key.seq <= known:
                continue
            for seq in range(known + 1, key.seq):
                miss(replace(key, seq=seq))
            append(key, record.published_ns, parts)
            count += 1
    if count:
        log.info("%s: %d messages of a pipeline that was killed are written", folder.path, count)


@contextlib.contextmanager
def _left_behind(folder: Folder) -> Iterator[Iterator[tuple[Record, Sequence[Buffer]]]]:
    """Heads and parts of all whole messages in the spool, stream by stream in order.

    Some of them are in the journal. At the end the spool goes, unless there was an error.
    """
    path = _named(folder)
    if path is None:
        yield iter(())
        return
    try:
        handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if not isinstance(error, FileNotFoundError):  # after a start of the machine it is gone
            log.error("%s: messages that a killed pipeline left cannot be read: %s", path, error)
        yield iter(())
        return
    try:
        free = lock(handle)  # a copy of a journal names the spool of the original
        yield _whole(handle) if free else iter(())
        if free:
            path.unlink(missing_ok=True)
    finally:
        os.close(handle)


def _named(folder: Folder) -> Path | None:
    """The spool that the journal names."""
    try:
        name = folder.spool.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    fits = name.startswith(PREFIX) and name.removeprefix(PREFIX).isalnum()
    return SHARED / name if fits else None


def _whole(handle: int) -> Iterator[tuple[Record, Sequence[Buffer]]]:
    size = os.fstat(handle).st_size
    heads = (read_head(handle, NUMBER, first, size) for first in range(PAGE, size, PAGE))
    found = sorted(
        (head for head in heads if head), key=lambda head: (head.key.stream, head.key.seq)
    )
    for head in found:
        parts = read_parts(handle, head)
        if parts is not None:
            yield head, parts
