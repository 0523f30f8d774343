"""What the journal holds as files that other programs read: MCAP, pictures, tables."""

from linescan.archive.formats import FORMATS, Exporter, open_exporter
from linescan.archive.selection import Part, Selection, select

__all__ = ["FORMATS", "Exporter", "Part", "Selection", "open_exporter", "select"]
