"""Lines reach the disk soon, also those before a web stands still."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from linescan.errors import SourceError
from linescan.recording.writer import FILE_SECONDS, RecordingWriter
from linescan.records import LineBlock, Loss


class Prompt:
    """Appends to a recording, while a thread looks after what waits too long.

    Leave it before the writer is closed.

    Args:
        writer: used through this alone meanwhile.
        failed: told that the disk failed while nothing came; the error is raised by ``append``, or
            at the end.
    """

    def __init__(self, writer: RecordingWriter, failed: Callable[[], None]) -> None:
        self._writer = writer
        self._failed = failed
        self._error: SourceError | None = None
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recording", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()
        if error is None:
            self._raise()

    def append(self, item: LineBlock | Loss) -> None:
        """As ``RecordingWriter.append``.

        Raises:
            SourceError: as there.
        """
        with self._lock:
            self._raise()
            self._writer.append(item)

    def tick(self) -> None:
        """Bring to the disk what has waited too long."""
        with self._lock:
            try:
                self._writer.flush_late()
            except SourceError as error:
                self._error = error
        if self._error is not None:
            self._ended.set()
            self._failed()

    def _run(self) -> None:
        while not self._ended.wait(FILE_SECONDS / 4):
            self.tick()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error
