"""Journals whose writers were killed while messages waited for the disk."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Sequence
from pathlib import Path

from linescan.journal import Entry, JournalWriter, spool
from linescan.journal.folder import Folder, opened
from linescan.journal.spool import PREFIX, SHARED
from tests.journal.entries import message, section, seqs

STREAM = message(0).key.stream
KILLED = 3
"""Messages that wait for the disk when the process ends."""


def waiting(folder: Path, count: int = KILLED, size: int = 1000, **settings: object) -> None:
    """Messages wait for the disk of a process that was killed."""
    all_wait(folder, [message(seq, size=size) for seq in range(count)], **settings)


def all_wait(folder: Path, entries: Sequence[Entry], **settings: object) -> None:
    """In a child process: append, and be killed while the disk does not answer."""
    child = os.fork()
    if not child:
        writer = JournalWriter(folder, section(**settings))
        writer.open()
        assert writer._storing is not None
        with writer._storing._writing:
            for entry in entries:
                writer.append(entry.key, entry.published_ns, entry.frames)
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)


def spooled(folder: Path) -> Path:
    """The memory in which messages wait."""
    return SHARED / Folder(folder).spool.read_text().strip()


def reopened(folder: Path) -> list[int]:
    """The numbers that are there once a writer has opened and closed the journal."""
    writer = JournalWriter(folder, section())
    writer.open()
    writer.close()
    return list(seqs(folder))


def spools_of(folder: Path) -> list[Path]:
    """The memory of all journals within a folder, also of those that are gone."""
    found = []
    for path in SHARED.glob(f"{PREFIX}*"):
        with contextlib.suppress(FileNotFoundError, PermissionError), opened(path) as handle:
            named_by = spool.owner(handle)
            if named_by and named_by.is_relative_to(folder):
                found.append(path)
    return found
