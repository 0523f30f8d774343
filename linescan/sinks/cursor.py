"""How far a sink is in each stream of the journal, kept in the journal's folder."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Final

from linescan.errors import JournalError
from linescan.journal import Acknowledgements, Stream

log = logging.getLogger(__name__)

SAVE_S: Final = 0.2
"""The file is written so often at most; what was sent since is sent again after a crash."""


class Cursor:
    """The last number of each stream that the broker has acknowledged.

    Args:
        folder: the journal's.
        name: under which the place is kept.

    Attributes:
        is_new: nothing was ever acknowledged under that name.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._kept = Acknowledgements(folder)
        self._name = name
        self._at = self._kept.get(name)
        self._changed: set[Stream] = set()
        self._saved = -SAVE_S
        self._complained = False
        self.is_new = not self._at

    def __getitem__(self, stream: Stream) -> int:
        """The last number that is done; -1 where nothing is."""
        return self._at.get(stream, -1)

    def begin(self, stream: Stream, seq: int) -> None:
        """Everything up to ``seq`` is none of ours; a place that is known stays."""
        if stream not in self._at and seq >= 0:
            self._at[stream] = seq
            self._changed.add(stream)

    def advance(self, stream: Stream, seq: int) -> None:
        """Everything up to ``seq`` is done; it is saved now and then."""
        if seq <= self[stream]:
            return
        self._at[stream] = seq
        self._changed.add(stream)
        if time.monotonic() >= self._saved + SAVE_S:
            self.save()

    def save(self) -> None:
        """Write what has changed; where that fails it is tried again with the next change."""
        try:
            for stream in list(self._changed):
                self._kept.set(self._name, *stream, self._at[stream])
                self._changed.discard(stream)
            self._complained = False
        except JournalError as error:
            if not self._complained:
                log.warning("%s", error)
            self._complained = True
        self._saved = time.monotonic()
