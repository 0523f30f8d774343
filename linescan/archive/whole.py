"""Files that appear only when they are complete."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from linescan.errors import JournalError


class WholeFile:
    """A file under a .part name, until it is finished.

    Attributes:
        part: the path to write to.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.part = path.with_name(f"{path.name}.part")
        with self.writing():
            path.parent.mkdir(parents=True, exist_ok=True)

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Turns what the disk does not take into one sentence."""
        try:
            yield
        except OSError as error:
            raise JournalError(
                f"{self._path}: cannot be written: {error.strerror or error}; free space, or choose"
                f" another place"
            ) from error

    def finish(self) -> None:
        """Give the file its name."""
        with self.writing():
            self.part.replace(self._path)

    def discard(self) -> None:
        """Remove it."""
        with contextlib.suppress(OSError):
            self.part.unlink(missing_ok=True)
