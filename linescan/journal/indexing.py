"""The writer's side of the index: entered after each sync, and made good after trouble."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
from collections.abc import Sequence
from typing import Final

from linescan.journal.folder import Folder
from linescan.journal.index import Index, remove_index
from linescan.journal.layout import Record
from linescan.journal.recovery import catch_up, recover
from linescan.journal.segment import Segment

log = logging.getLogger(__name__)

AGAIN_S: Final = 1.0
"""After trouble, wait so long before the next try."""
AT_ONCE_S: Final = 0.1
"""Making good takes so long of each sync, and the rest of the next ones."""


class Indexing:
    """Keeps the index behind the segments, never ahead. Its trouble never stops the journal.

    Args:
        folder: the journal.

    Attributes:
        index: the index; None while it cannot be had.
    """

    def __init__(self, folder: Folder) -> None:
        self.index: Index | None = None
        self._folder = folder
        self._behind = False
        self._next_try = 0.0

    def open(self) -> None:
        """Cut the torn tail, and open the index or make it anew.

        Raises:
            OSError: the segments cannot be read or cut.
            JournalError: a later version of linescan wrote them.
        """
        self.index = recover(self._folder)
        self._behind = self.index is None

    def enter(self, records: Sequence[Record], segments: Sequence[Segment]) -> None:
        """Enter what is now durable; after trouble, all that was missed.

        Args:
            records: what a sync has covered.
            segments: the open segments.
        """
        if self._behind:
            if segments and time.monotonic() >= self._next_try:
                self._catch_up(segments)
        elif records and self.index is not None:
            created = {segment.number: segment.created_ns for segment in segments}
            ends: dict[int, int] = {}
            for record in records:
                ends[record.segment] = max(ends.get(record.segment, 0), record.end)
            try:
                self.index.add(records, ends, created)
            except sqlite3.Error as error:
                self._fail(error)

    def close(self) -> None:
        """Release the index."""
        if self.index is not None:
            self.index.close()
            self.index = None

    def _catch_up(self, segments: Sequence[Segment]) -> None:
        try:
            if self.index is None:
                remove_index(self._folder.index)
                self.index = Index.create(self._folder.index)
            synced = {segment.number: segment.synced for segment in segments}
            if not catch_up(self.index, self._folder, synced, time.monotonic() + AT_ONCE_S):
                return
        except (sqlite3.Error, OSError) as error:
            self._fail(error)
        else:
            log.warning("%s: up to date again", self._folder.index)
            self._behind = False

    def _fail(self, error: Exception) -> None:
        if not self._behind:
            log.error("%s: cannot be brought up to date: %s", self._folder.index, error)
        self._behind = True
        self._next_try = time.monotonic() + AGAIN_S
        if not isinstance(error, sqlite3.OperationalError):
            with contextlib.suppress(sqlite3.Error):
                self.close()  # it is broken: the next try makes it anew
