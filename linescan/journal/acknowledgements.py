"""What subscribers have acknowledged: one small file for each name, replaced as a whole."""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from linescan.errors import JournalError
from linescan.journal.folder import Folder, replace_file
from linescan.journal.keys import Stream
from linescan.names import SUBSCRIBER
from linescan.protocol import Kind

log = logging.getLogger(__name__)

MOST_NAMES: Final = 1000
MOST_STREAMS: Final = 1000
"""Streams that are remembered for a name; beyond, those that were acknowledged longest ago go."""

_SUFFIX: Final = ".json"


class Acknowledgements:
    """The acknowledgements of a journal; safe from several threads. One process may change them.

    Args:
        folder: the journal's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = Folder(folder).acknowledgements
        self._lock = threading.Lock()

    def set(self, name: str, epoch: str, camera: str, kind: Kind, seq: int) -> None:
        """All messages of a stream up to ``seq`` are processed; a lower number changes nothing.

        Raises:
            JournalError: the name is none, there are too many, or the disk is full.
        """
        path = self._path(name)
        stream = Stream(epoch, camera, Kind(kind))
        with self._lock:
            known = self._read(path)
            if known.get(stream, -1) >= seq:
                return
            known.pop(stream, None)
            known[stream] = seq
            for oldest in list(known)[: max(0, len(known) - MOST_STREAMS)]:
                del known[oldest]
            self._write(path, name, known)

    def get(self, name: str) -> dict[Stream, int]:
        """The last acknowledged number of each stream; empty for a name that never came.

        Raises:
            JournalError: the name is none.
        """
        return self._read(self._path(name))

    def names(self) -> list[str]:
        """All names that have acknowledged something."""
        return sorted(path.name.removesuffix(_SUFFIX) for path in self._folder.glob(f"*{_SUFFIX}"))

    def forget(self, name: str) -> None:
        """Remove a name."""
        with self._lock:
            self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        if not re.fullmatch(SUBSCRIBER, name):
            raise JournalError(
                f"name {name[:80]!r}: use 1 to 63 letters, digits, '.', '_' or '-' for a subscriber"
            )
        return self._folder / f"{name}{_SUFFIX}"

    def _read(self, path: Path) -> dict[Stream, int]:
        try:
            entries = json.loads(path.read_bytes())["streams"]
            return {
                Stream(str(e["epoch"]), str(e["camera"]), Kind(e["kind"])): int(e["seq"])
                for e in entries
            }
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s: cannot be read, taken as nothing acknowledged: %s", path, error)
            return {}

    def _write(self, path: Path, name: str, known: Mapping[Stream, int]) -> None:
        data: dict[str, Any] = {
            "name": name,
            "streams": [{**stream._asdict(), "seq": seq} for stream, seq in known.items()],
        }
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if not path.exists() and len(self.names()) >= MOST_NAMES:
                raise JournalError(
                    f"{self._folder}: {MOST_NAMES} names have acknowledged already: delete the"
                    f" files of those that never come again"
                )
            replace_file(path, json.dumps(data, indent=1).encode())
        except OSError as error:
            raise JournalError(
                f"{path}: cannot keep the acknowledgement: {error.strerror}; free space there"
            ) from error
