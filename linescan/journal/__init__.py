"""The durable store of what was published: append-only segments and an index made from them."""

from linescan.journal.acknowledgements import Acknowledgements
from linescan.journal.alarm import JournalState
from linescan.journal.audit import JournalAudit, Report, RunReport, Verdict
from linescan.journal.keys import Content, Entry, Epoch, Key, Range, Stream
from linescan.journal.reader import JournalReader
from linescan.journal.writer import JournalWriter

__all__ = [
    "Acknowledgements",
    "Content",
    "Entry",
    "Epoch",
    "JournalAudit",
    "JournalReader",
    "JournalState",
    "JournalWriter",
    "Key",
    "Range",
    "Report",
    "RunReport",
    "Stream",
    "Verdict",
]
