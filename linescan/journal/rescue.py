"""What a pipeline that was killed had published and not yet written: it is written now."""

from __future__ import annotations

import contextlib
import heapq
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from linescan.errors import JournalError
from linescan.journal.folder import Folder, is_locked
from linescan.journal.keys import Key, Stream
from linescan.journal.layout import Record
from linescan.journal.pruned import Pruned
from linescan.journal.scan import read_head, read_parts
from linescan.journal.spool import NUMBER, PAGE, PREFIX, SHARED, lock, named, owner
from linescan.protocol import Buffer

log = logging.getLogger(__name__)


ENDS_S: Final = 10.0
"""A process that was killed lets go of the journal's lock first, and of what waits soon after."""


def rescue(
    folder: Folder,
    last: Callable[[Stream], int],
    write: Callable[[Key, int, Sequence[Buffer]], bool],
    miss: Callable[[Key], None],
) -> None:
    """Write what waited in the spool when the process before this one was killed.

    Args:
        folder: the journal.
        last: the last number of a stream that the journal knows.
        write: writes a message; whether there was room.
        miss: notes that a message is missing.

    Raises:
        JournalError: one of them cannot; the spool stays as it is.
    """
    count = failed = 0
    pruned = Pruned(folder).read()
    with _left_behind(folder) as messages:
        for record, parts in messages:
            key = record.key
            known = max(last(key.stream), pruned.get(key.stream, -1))
            if key.seq <= known:
                continue
            for seq in range(known + 1, key.seq):
                miss(replace(key, seq=seq))
            if write(key, record.published_ns, parts):
                count += 1
            else:
                failed += 1
    if count:
        log.info("%s: %d messages of a pipeline that was killed are written", folder.path, count)
    if failed:
        log.error(
            "ALARM: %s: %d messages of a pipeline that was killed could not be written: they are"
            " missing",
            folder.path,
            failed,
        )


def left_behind(folder: Folder) -> str | None:
    """In words, where messages may wait that no reader sees; None where there are none."""
    path = _path(folder)
    if path is None or is_locked(folder) or not path.exists():
        return None
    return (
        f"a pipeline was killed: what it published last may wait in {path}, until a pipeline opens"
        f" this journal again"
    )


@contextlib.contextmanager
def _left_behind(folder: Folder) -> Iterator[Iterator[tuple[Record, Sequence[Buffer]]]]:
    """Heads and parts of all whole messages in the spool, in order.

    Some of them are in the journal. At the end the spool goes, unless there was an error, or the
    journal is a copy of another, which may want it as well.
    """
    path = _path(folder)
    handle = None if path is None else _open(path, folder)
    if path is None or handle is None:
        yield iter(())
        return
    try:
        copied = _is_anothers(handle, folder, path.name)
        if lock(handle, 0 if copied else ENDS_S):
            yield _whole(handle)
            if not copied:
                path.unlink(missing_ok=True)
        elif copied:  # its original is being written
            yield iter(())
        else:
            raise JournalError(
                f"{path}: another process has open what a killed pipeline left in memory: end it"
                f" (see: fuser {path}), and start again"
            )
    finally:
        os.close(handle)


def _path(folder: Folder) -> Path | None:
    """The spool that a journal names."""
    name = named(folder.spool) or ""
    fits = name.startswith(PREFIX) and name.removeprefix(PREFIX).isalnum()
    return SHARED / name if fits else None


def _open(path: Path, folder: Folder) -> int | None:
    """A spool's handle; None where it is gone, or is not to be trusted."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if not isinstance(error, FileNotFoundError):  # after a start of the machine it is gone
            log.error("%s: messages that a killed pipeline left cannot be read: %s", path, error)
        return None
    user = os.fstat(handle).st_uid
    if user in (os.geteuid(), folder.spool.stat().st_uid):
        return handle
    os.close(handle)
    log.error("%s: is user %d's, and not what a killed pipeline left: it stays", path, user)
    return None


def _is_anothers(handle: int, folder: Folder, name: str) -> bool:
    """Whether another journal names a spool, of which this journal is a copy."""
    by = owner(handle)
    return by is not None and named(by) == name and not by.samefile(folder.spool)


def _whole(handle: int) -> Iterator[tuple[Record, Sequence[Buffer]]]:
    size = os.fstat(handle).st_size
    heads = (read_head(handle, NUMBER, first, size) for first in range(PAGE, size, PAGE))
    streams: dict[Stream, list[Record]] = {}
    for head in heads:
        if head is not None:
            streams.setdefault(head.key.stream, []).append(head)
    for records in streams.values():
        records.sort(key=lambda record: record.key.seq)
    for record in heapq.merge(*streams.values(), key=lambda record: record.published_ns):
        parts = read_parts(handle, record)
        if parts is not None:
            yield record, parts
