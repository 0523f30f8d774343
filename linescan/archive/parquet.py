"""Objects as Parquet, through pyarrow."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from linescan.archive.rows import COLUMNS, Cell, Rows, rows
from linescan.archive.whole import WholeFile
from linescan.journal import Entry

ROWS: Final = 16384
"""Rows of one group; also what waits in memory at most, but for one inspection's objects."""


class ParquetExporter:
    """A row an object, in groups, compressed with zstd.

    Args:
        out: the file.
        columns: names and types.
        rows: makes rows of a message.
    """

    unit = "objects"

    def __init__(self, out: Path, columns: Mapping[str, type] = COLUMNS, rows: Rows = rows) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        kinds: dict[type, Any] = {
            str: pa.string(),
            int: pa.int64(),
            float: pa.float64(),
            bool: pa.bool_(),
        }
        self.written = 0
        self._pa = pa
        self._schema = pa.schema([(name, kinds[kind]) for name, kind in columns.items()])
        self._rows: list[list[Cell]] = []
        self._make = rows
        self._whole = WholeFile(out)
        with self._whole.writing():
            self._file = self._whole.part.open("wb")
            self._writer = pq.ParquetWriter(self._file, self._schema, compression="zstd")

    def take(self, entry: Entry) -> None:
        """Write the objects of a message."""
        self._rows += self._make(entry)
        if len(self._rows) >= ROWS:
            self._flush()

    def close(self) -> None:
        """Finish."""
        self._flush()
        with self._whole.writing():
            self._writer.close()
            self._file.close()
        self._whole.finish()

    def discard(self) -> None:
        """Give up."""
        self._whole.discard()
        with contextlib.suppress(OSError):
            self._writer.close()
        self._file.close()

    def _flush(self) -> None:
        columns = list(zip(*self._rows, strict=True)) or [()] * len(self._schema)
        arrays = [
            self._pa.array(column, field.type)
            for column, field in zip(columns, self._schema, strict=True)
        ]
        with self._whole.writing():
            self._writer.write_table(self._pa.table(arrays, schema=self._schema))
        self.written += len(self._rows)
        self._rows.clear()
