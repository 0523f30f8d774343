"""One process feeds a sink: two would fight for the place, and for the name at the broker."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Self

from linescan.errors import SinkError


class SinkLock:
    """Held while a sink is fed; the process's end unlocks it.

    Args:
        folder: the journal's.
        name: of the sink.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / f"sink-{name}.lock"
        self._handle: int | None = None

    def __enter__(self) -> Self:
        """Lock it.

        Raises:
            SinkError: another process has it, or the folder cannot be written to.
        """
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise SinkError(
                f"{self._path}: cannot be written: {error.strerror}; linescan forward keeps its"
                f" place in the journal's folder"
            ) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            raise SinkError(
                f"{self._path}: another linescan forward feeds this sink: stop it, or give this one"
                f" a name of its own"
            ) from error
        self._handle = handle
        return self

    def __exit__(self, *_: object) -> None:
        if self._handle is not None:
            os.close(self._handle)
