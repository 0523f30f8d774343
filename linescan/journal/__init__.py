"""The durable store of what was published: append-only segments and an index made from them."""

from linescan.journal.acknowledgements import Acknowledgements
from linescan.journal.keys import Entry, Epoch, Key, Range, Stream
from linescan.journal.reader import JournalReader
from linescan.journal.writer import JournalState, JournalWriter

__all__ = [
    "Acknowledgements",
    "Entry",
    "Epoch",
    "JournalReader",
    "JournalState",
    "JournalWriter",
    "Key",
    "Range",
    "Stream",
]
