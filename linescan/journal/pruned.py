"""Up to where streams were pruned, so that nobody asks in vain for what was there once.

It stands in a file of its own: neither the segments nor an index made from them say it any more.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
from collections.abc import Iterator, Mapping
from typing import Final

from linescan.journal.folder import Folder, replace_file
from linescan.journal.keys import Stream
from linescan.protocol import Kind

log = logging.getLogger(__name__)

MOST_EPOCHS: Final = 1000
"""Epochs that are remembered; beyond, those that were pruned longest ago go."""


class Pruned:
    """The last pruned number of each stream; several processes may note some.

    Args:
        folder: the journal.
    """

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def read(self) -> dict[Stream, int]:
        """The last pruned number of each stream that is remembered, longest ago first."""
        try:
            entries = json.loads(self._folder.pruned.read_bytes())["streams"]
            return {
                Stream(str(e["epoch"]), str(e["camera"]), Kind(e["kind"])): int(e["last"])
                for e in entries
            }
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s: cannot be read: %s", self._folder.pruned, error)
            return {}

    def note(self, lasts: Mapping[Stream, int]) -> None:
        """All messages of these streams up to these numbers go.

        Raises:
            OSError: that cannot be written down.
        """
        with self._locked():
            known = self.read()
            for stream, last in lasts.items():
                known[stream] = max(last, known.pop(stream, -1))
            epochs = list(dict.fromkeys(stream.epoch for stream in reversed(known)))
            kept = set(epochs[:MOST_EPOCHS])
            streams = [
                {**stream._asdict(), "last": last}
                for stream, last in known.items()
                if stream.epoch in kept
            ]
            replace_file(self._folder.pruned, json.dumps({"streams": streams}).encode())

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone among those who prune: the writer, and whoever does so by hand."""
        handle = os.open(self._folder.segments, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)
