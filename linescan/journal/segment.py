"""One segment file while it is written: append whole or not at all, cut back, sync."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from typing import Final

from linescan.journal.folder import Folder, sync_folder
from linescan.journal.keys import Key
from linescan.journal.layout import (
    FILE_HEADER_BYTES,
    Record,
    checksum,
    pack_file_header,
    pack_head,
    parse_head,
)

_MOST_VECTORS: Final = 512
"""Buffers that one system call takes: below what every Linux allows (1024)."""

Part = tuple[memoryview, int]
"""Bytes of a message's part, and their CRC-32C."""


def prepare(frames: Sequence[bytes | memoryview]) -> list[Part]:
    """A message's parts with their checksums; no copies."""
    views = [memoryview(frame).cast("B") for frame in frames]
    return [(view, checksum(view)) for view in views]


class Segment:
    """A segment file that is written to.

    Attributes:
        pending: records that no sync has covered yet.
        size: of the file, up to its last whole record.
        synced: up to where a sync has covered it.
    """

    def __init__(
        self, folder: Folder, number: int, handle: int, size: int, created_ns: int
    ) -> None:
        self.number = number
        self.size = size
        self.created_ns = created_ns
        self.pending: list[Record] = []
        self.synced = size
        self._named = True
        self._folder = folder
        self._handle = handle

    @classmethod
    def create(cls, folder: Folder, number: int) -> Segment:
        """Begin a new file.

        Raises:
            OSError: it cannot be written; nothing of it is left.
        """
        created_ns = time.time_ns()
        path = folder.segment(number)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        segment = cls(folder, number, os.open(path, flags, 0o644), 0, created_ns)
        segment._named = False
        try:
            segment._write([memoryview(pack_file_header(number, created_ns))])
        except OSError:
            segment.close()
            path.unlink()
            raise
        return segment

    @classmethod
    def resume(cls, folder: Folder, number: int, size: int, created_ns: int) -> Segment:
        """Go on with a file that is whole up to ``size`` and has nothing beyond."""
        handle = os.open(folder.segment(number), os.O_RDWR | os.O_CLOEXEC)
        return cls(folder, number, handle, size, created_ns)

    @property
    def is_empty(self) -> bool:
        """Whether there is no record yet."""
        return self.size <= FILE_HEADER_BYTES

    def append(
        self, key: Key, published_ns: int, parts: Sequence[Part], missing: int = 0
    ) -> Record:
        """Write one record.

        Raises:
            OSError: it cannot be written; the file is as before.
            JournalError: it cannot be written down.
        """
        sizes = [(view.nbytes, crc) for view, crc in parts]
        head = pack_head(self.number, self.size, key, published_ns, sizes, missing)
        record = parse_head(head, self.number, self.size)
        assert record is not None  # noqa: S101
        self._write([memoryview(head), *(view for view, _ in parts if view.nbytes)])
        self.pending.append(record)
        return record

    def sync(self, size: int) -> None:
        """Bring everything up to ``size`` to the disk, the file's name too.

        Raises:
            OSError: the disk failed; what was written since the last sync may not be there.
        """
        os.fdatasync(self._handle)
        if not self._named:
            sync_folder(self._folder.segments)
            self._named = True
        self.synced = max(self.synced, size)

    def cut(self) -> list[Record]:
        """After a failed sync: give up all that it should have covered.

        Returns:
            The records that are gone.
        """
        gone, self.pending = self.pending, []
        self.size = self.synced
        with contextlib.suppress(OSError):  # nothing is written here any more
            os.ftruncate(self._handle, self.synced)
        return gone

    def close(self) -> None:
        """Release the file."""
        os.close(self._handle)

    def _write(self, buffers: list[memoryview]) -> None:
        at = self.size
        try:
            while buffers:
                at += _advance(buffers, os.pwritev(self._handle, buffers[:_MOST_VECTORS], at))
        except OSError:
            os.ftruncate(self._handle, self.size)
            raise
        self.size = at


def _advance(buffers: list[memoryview], count: int) -> int:
    """Drop what was written from the front."""
    left = count
    while buffers and left >= buffers[0].nbytes:
        left -= buffers.pop(0).nbytes
    if left:
        buffers[0] = buffers[0][left:]
    return count
