"""The on-disk format of recorded scans, see docs/reference/recording.md.

A recording is a folder that any tool can read: ``recording.yaml`` says what it is, ``blocks.csv``
lists lines and losses in order, ``blocks/`` holds the pixels as NumPy files, and ``truth/``, where
there is one, the known heights, labels and objects of a simulated web.
"""

from linescan.recording.entries import BlockEntry, Entry, LossEntry
from linescan.recording.header import Header, HeightEncoding, Provenance, TruthHeader
from linescan.recording.prompt import Prompt
from linescan.recording.reader import BadBlockError, Recording
from linescan.recording.truth import Truth, TruthObject, TruthWriter
from linescan.recording.writer import RecordingWriter

__all__ = [
    "BadBlockError",
    "BlockEntry",
    "Entry",
    "Header",
    "HeightEncoding",
    "LossEntry",
    "Prompt",
    "Provenance",
    "Recording",
    "RecordingWriter",
    "Truth",
    "TruthHeader",
    "TruthObject",
    "TruthWriter",
]
