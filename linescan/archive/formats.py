"""The formats that a journal can be exported to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from linescan.archive.rows import COLUMNS, WHOLE_COLUMNS, rows, whole_rows
from linescan.errors import JournalError
from linescan.journal import Entry
from linescan.protocol import Kind


class Exporter(Protocol):
    """Writes messages into a file or a folder. Nothing is there before ``close``, if it is a file.

    Attributes:
        written: files, rows or messages written so far, as ``unit`` says.
        unit: what ``written`` counts.
    """

    written: int
    unit: str

    def take(self, entry: Entry) -> None:
        """Write one message.

        Raises:
            LinescanError: it cannot be decoded or written.
        """

    def close(self) -> None:
        """Finish.

        Raises:
            LinescanError: the end cannot be written.
        """

    def discard(self) -> None:
        """Give up: no half file stays."""


@dataclass(frozen=True, slots=True)
class Format:
    """One format: what it is for, which messages it takes, and whether it fills a folder."""

    meaning: str
    kinds: tuple[Kind, ...]
    is_folder: bool = False


_BOTH: Final = (Kind.INSPECTION, Kind.EVENT)
_INSPECTIONS: Final = (Kind.INSPECTION,)

FORMATS: Final[Mapping[str, Format]] = {
    "mcap": Format("everything, byte for byte, for MCAP tools", _BOTH),
    "png": Format("16-bit depth and labels of each inspection, with JSON", _INSPECTIONS, True),
    "tiff": Format("float32 depth, labels as PNG, with JSON", _INSPECTIONS, True),
    "parquet": Format("a row for each object of each frame", _INSPECTIONS),
    "csv": Format("a row for each object of each frame", _INSPECTIONS),
    "whole-parquet": Format("a row for each complete object on the web", _BOTH),
    "whole-csv": Format("a row for each complete object on the web", _BOTH),
    "jsonl": Format("the JSON header of each message, a line each", _BOTH),
}


def open_exporter(to: str, out: Path, *, overwrite: bool = False) -> Exporter:
    """Begin an export.

    Args:
        to: one of ``FORMATS``.
        out: the file, or for pictures the folder.
        overwrite: replace a file, or write into a folder that is not empty.

    Raises:
        JournalError: the format is none, or something is there already.
    """
    if to not in FORMATS:
        raise JournalError(f"format {to!r}: expected one of {', '.join(FORMATS)}")
    is_folder = FORMATS[to].is_folder
    if is_folder and out.exists() and not out.is_dir():
        raise JournalError(f"{out}: {to} needs a folder, a file is in the way")
    if not is_folder and out.is_dir():
        name = f"scan.{to.removeprefix('whole-')}"
        raise JournalError(f"{out}: {to} is one file, give its name, such as {out / name}")
    taken = any(out.iterdir()) if out.is_dir() else out.exists()
    if taken and not overwrite:
        raise JournalError(f"{out}: there is something already; choose another, or --overwrite")
    return _open(to, out)


def _open(to: str, out: Path) -> Exporter:
    if to == "mcap":
        from linescan.archive.mcap import McapExporter

        return McapExporter(out)
    table = (WHOLE_COLUMNS, whole_rows) if to.startswith("whole-") else (COLUMNS, rows)
    if to.endswith("parquet"):
        from linescan.archive.parquet import ParquetExporter

        return ParquetExporter(out, *table)
    if to in ("png", "tiff"):
        from linescan.archive.pictures import PictureExporter

        return PictureExporter(out, to)
    from linescan.archive.text import CsvExporter, JsonLinesExporter

    return CsvExporter(out, *table) if to.endswith("csv") else JsonLinesExporter(out)
