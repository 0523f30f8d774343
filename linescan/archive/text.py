"""CSV of objects, and JSON lines of headers."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from linescan.archive.rows import COLUMNS, Rows, rows
from linescan.archive.whole import WholeFile
from linescan.journal import Entry


class _LineExporter:
    """A file that is written line by line.

    Args:
        out: the file.
        options: how it is opened for writing.
    """

    def __init__(self, out: Path, **options: Any) -> None:
        self.written = 0
        self._whole = WholeFile(out)
        with self._whole.writing():
            self._file: IO[Any] = self._whole.part.open(**options)

    def close(self) -> None:
        """Finish."""
        with self._whole.writing():
            self._file.close()
        self._whole.finish()

    def discard(self) -> None:
        """Give up."""
        self._whole.discard()
        self._file.close()


class CsvExporter(_LineExporter):
    """A row an object, with a first row of names; UTF-8, RFC 4180.

    Args:
        out: the file.
        columns: names and types.
        rows: makes rows of a message.
    """

    unit = "objects"

    def __init__(self, out: Path, columns: Mapping[str, type] = COLUMNS, rows: Rows = rows) -> None:
        super().__init__(out, mode="w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerow(columns)
        self._rows = rows

    def take(self, entry: Entry) -> None:
        """Write the objects of a message."""
        for row in self._rows(entry):
            with self._whole.writing():
                self._writer.writerow(row)
            self.written += 1


class JsonLinesExporter(_LineExporter):
    """The JSON header of each message, byte for byte, a line each."""

    unit = "messages"

    def __init__(self, out: Path) -> None:
        super().__init__(out, mode="wb")

    def take(self, entry: Entry) -> None:
        """Write the header of a message."""
        with self._whole.writing():
            self._file.write(entry.frames[1])
            self._file.write(b"\n")
        self.written += 1
