"""One segment file while it is written: append whole or not at all, cut back, sync."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence

from linescan.journal.disk import Growing, create, resume
from linescan.journal.folder import Folder, sync_folder
from linescan.journal.keys import Key
from linescan.journal.layout import (
    FILE_HEADER_BYTES,
    Part,
    Record,
    checksum,
    pack_file_header,
    pack_head,
    parse_head,
)
from linescan.protocol import Buffer
from linescan.protocol.checksum import Frames


def prepare(frames: Sequence[Buffer]) -> list[Part]:
    """A message's parts with their checksums, those that are known already too; no copies."""
    known = frames.checksums if isinstance(frames, Frames) else {}
    views = [memoryview(frame).cast("B") for frame in frames]
    return [(view, known[i] if i in known else checksum(view)) for i, view in enumerate(views)]


class Segment:
    """A segment file that is written to.

    Attributes:
        pending: records that are written, and that no sync has covered yet.
        size: of what is written, up to the end of the last record.
        synced: up to where a sync has covered it.
        broken: nothing more is to be written there.
    """

    def __init__(
        self, folder: Folder, number: int, file: tuple[int, Growing], size: int, created_ns: int
    ) -> None:
        self.number = number
        self.size = size
        self.created_ns = created_ns
        self.pending: list[Record] = []
        self.synced = size
        self.broken = False
        self._staged: list[Record] = []
        self._end = size
        self._named = True
        self._folder = folder
        self._handle, self._file = file

    @classmethod
    def create(cls, folder: Folder, number: int) -> Segment:
        """Begin a new file.

        Raises:
            OSError: it cannot be written; nothing of it is left.
        """
        created_ns = time.time_ns()
        file = create(folder.segment(number), pack_file_header(number, created_ns))
        segment = cls(folder, number, file, FILE_HEADER_BYTES, created_ns)
        segment.synced = 0
        segment._named = False
        return segment

    @classmethod
    def resume(cls, folder: Folder, number: int, size: int, created_ns: int) -> Segment:
        """Go on with a file that is whole up to ``size``."""
        return cls(folder, number, resume(folder.segment(number), size), size, created_ns)

    def has_room(self, size: int, full: int) -> bool:
        """Whether so many bytes still belong here; an empty one takes any message."""
        empty = self._end <= FILE_HEADER_BYTES
        return not self.broken and (empty or self._end + size <= full)

    def stage(self, key: Key, published_ns: int, parts: Sequence[Part], missing: int = 0) -> None:
        """Add one record to what ``flush`` writes.

        Raises:
            OSError: it cannot be written; ``revert`` what was staged.
        """
        sizes = [(view.nbytes, crc) for view, crc in parts]
        head = pack_head(self.number, self._end, key, published_ns, sizes, missing)
        record = parse_head(head, self.number, self._end)
        assert record is not None  # noqa: S101
        for view in (memoryview(head), *(view for view, _ in parts)):
            self._file.put(view)
        self._staged.append(record)
        self._end = record.end

    def flush(self) -> list[Record]:
        """Write what was staged; ``accept`` it then.

        Raises:
            OSError: it cannot be written; ``revert``.
        """
        if self._staged:
            self._file.flush()
        staged, self._staged = self._staged, []
        return staged

    def accept(self, records: Sequence[Record]) -> None:
        """What was written waits for a sync now."""
        self.pending += records
        self.size = self._end

    def revert(self) -> None:
        """After a failed write: the file is as it was before."""
        self._staged, self._end = [], self.size
        try:
            self._file.reset(self.size)
        except OSError:
            self.broken = True

    def finish(self) -> None:
        """Nothing follows: the file ends with its last record."""
        os.ftruncate(self._handle, self.size)

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
        self.broken = True
        with contextlib.suppress(OSError):
            os.ftruncate(self._handle, self.synced)
        return gone

    def close(self) -> None:
        """Release the file."""
        os.close(self._handle)
