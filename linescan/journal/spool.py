"""Memory that outlives the process: messages that wait for the disk, where SIGKILL spares them.

A file in memory (``/dev/shm``) that a file in the journal's folder names. Each message lies in it
as a record of "segment" ``NUMBER`` and begins at a page, so that whoever opens the journal after a
crash finds all of them without any table. The first page holds the path of the file that names it.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import mmap
import os
import time
import uuid
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from linescan.journal.folder import Folder, opened, replace_file
from linescan.journal.keys import Key
from linescan.journal.layout import Part, head_size, pack_head

log = logging.getLogger(__name__)

SHARED: Final = Path("/dev/shm")  # noqa: S108
"""Files that lie in memory, on every Linux."""
PREFIX: Final = "linescan-journal-"
NUMBER: Final = 0
"""Segments of a journal are numbered from 1."""
PAGE: Final = 4096
STEP: Final = 4 << 20
"""Memory is taken as it is needed, in such steps, and kept until the end."""
STALE_S: Final = 86_400
"""Memory that no journal names goes when its writer has ended as long ago."""
AGAIN_S: Final = 0.05
"""While another process has it, look again as often."""
_POPULATE_WRITE: Final = 23
"""``MADV_POPULATE_WRITE``, Linux 5.14: map all pages at once; Python has no name for it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Bytes ``first`` to ``end`` (excluded) of the spool, whole pages."""

    first: int
    end: int


class Spool:
    """Room for messages, given back in the order in which it was taken.

    Not safe from several threads by itself, but for ``fill``.

    Args:
        folder: the journal whose messages wait.
        most_bytes: most memory for them.
    """

    def __init__(self, folder: Folder, most_bytes: int) -> None:
        self._folder = folder
        self._most = most_bytes // PAGE * PAGE
        self._taken: deque[Place] = deque()
        self._end = PAGE
        self._allocated = 0
        self._path: Path | None = None
        self._handle = -1

    def open(self) -> None:
        """Begin an empty one; where there is no such memory, there is room for nothing."""
        path = SHARED / f"{PREFIX}{uuid.uuid4().hex}"
        self._path = path
        try:
            replace_file(self._folder.spool, f"{path.name}\n".encode())
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._handle, fcntl.LOCK_EX)
            os.ftruncate(self._handle, self._most)
            os.pwrite(self._handle, bytes(self._folder.spool.resolve()), 0)
            self._memory = mmap.mmap(self._handle, self._most)
            self._array = np.frombuffer(self._memory, np.uint8)
        except (OSError, ValueError) as error:
            self.close()
            self._warn(error)

    def fits(self, key: Key, parts: Sequence[Part]) -> bool:
        """Whether there is room for a message, or will not be, however long one waits."""
        return not self._taken or self._find(_pages(key, parts)) is not None

    def take(self, key: Key, parts: Sequence[Part]) -> Place | None:
        """A place for a message; None where it must do without."""
        if self._path is None:
            return None
        size = _pages(key, parts)
        first = self._find(size)
        if first is None or not self._allocate(first + size):
            return None
        place = Place(first, first + size)
        self._taken.append(place)
        self._end = place.end
        return place

    def fill(self, place: Place, key: Key, published_ns: int, parts: Sequence[Part]) -> list[Part]:
        """Copy a message to its place; its parts, as they lie there. Safe from any thread."""
        sizes = [(view.nbytes, crc) for view, crc in parts]
        head = pack_head(NUMBER, place.first, key, published_ns, sizes)
        at, copies = place.first + len(head), []
        for view, crc in parts:
            target = self._array[at : at + view.nbytes]
            if view.nbytes:
                # Not by slices of memoryviews: this one lets other threads run.
                np.copyto(target, np.frombuffer(view, np.uint8))
            copies.append((target.data, crc))
            at += view.nbytes
        self._array[place.first : place.first + len(head)] = np.frombuffer(head, np.uint8)
        return copies

    def give_back(self, place: Place) -> None:
        """The oldest place is free again."""
        oldest = self._taken.popleft()
        assert oldest is place  # noqa: S101
        if not self._taken:
            self._end = PAGE  # always the same pages, as long as the disk keeps up

    def touch(self) -> None:
        """It is in use: its age begins anew. Writing into mapped memory does not tell anybody."""
        if self._handle >= 0:
            with contextlib.suppress(OSError):
                os.utime(self._handle)

    def close(self) -> None:
        """All that was in it is on the disk: nothing stays."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
        if self._path is not None:
            for path in (self._path, self._folder.spool):
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
            self._path = None

    def _find(self, size: int) -> int | None:
        """Where so many bytes have room in one piece."""
        if not self._taken:
            return PAGE if PAGE + size <= self._most else None
        begin, end = self._taken[0].first, self._end
        if begin < end:
            if self._most - end >= size:
                return end
            return PAGE if begin - PAGE >= size else None
        return end if begin - end >= size else None

    def _allocate(self, end: int) -> bool:
        """Have memory up to there; without it, writing would end the process."""
        while self._allocated < end:
            step = min(STEP, self._most - self._allocated)
            try:
                os.posix_fallocate(self._handle, self._allocated, step)
            except OSError as error:
                self._warn(error)
                self._most = self._allocated
                return False
            with contextlib.suppress(OSError):
                self._memory.madvise(_POPULATE_WRITE, self._allocated, step)
            self._allocated += step
        return True

    def _warn(self, error: Exception) -> None:
        log.warning(
            "%s: %d MB of shared memory for messages that wait for the disk cannot be had (%s): if"
            " the pipeline is killed, those of the last moment are lost",
            SHARED,
            self._most >> 20,
            error,
        )


def lock(handle: int, wait_s: float = 0.0) -> bool:
    """Whether nobody writes to an open spool, or ends in that time: it is locked then."""
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(AGAIN_S)
        else:
            return True


def owner(handle: int) -> Path | None:
    """The file that names an open spool, or did so once; None of one that is just being made."""
    path = os.pread(handle, PAGE, 0).split(b"\0")[0]
    return Path(os.fsdecode(path)) if path else None


def named(by: Path) -> str | None:
    """The name of the spool that stands in such a file; None where there is no such file."""
    try:
        return by.read_text("ascii").strip()
    except (OSError, ValueError):
        return None


def sweep() -> None:
    """Remove what killed pipelines left whose journals are gone."""
    for path in SHARED.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError), opened(path, os.O_RDWR | os.O_NOFOLLOW) as handle:
            status, named_by = os.fstat(handle), owner(handle)
            if status.st_uid != os.geteuid() or time.time() - status.st_mtime < STALE_S:
                continue
            # Locked last: whoever opens that journal now must not find it in use.
            if named_by is not None and named(named_by) != path.name and lock(handle):
                path.unlink()


def _pages(key: Key, parts: Sequence[Part]) -> int:
    """Bytes that a message takes, in whole pages."""
    size = head_size(key, len(parts)) + sum(view.nbytes for view, _ in parts)
    return -(-size // PAGE) * PAGE
