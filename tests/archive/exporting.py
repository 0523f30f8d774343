"""Exports of a journal."""

from __future__ import annotations

from pathlib import Path

from linescan.archive import FORMATS, Selection, open_exporter, select
from linescan.archive.selection import entries
from linescan.journal import JournalReader


def export(folder: Path, to: str, out: Path, selection: Selection | None = None) -> int:
    """As the command does."""
    reader, wanted = JournalReader(folder), selection or Selection()
    parts = select(reader, wanted, FORMATS[to].kinds)
    exporter = open_exporter(to, out)
    for part in parts:
        for entry in entries(reader, part, wanted):
            exporter.take(entry)
    exporter.close()
    return exporter.written
