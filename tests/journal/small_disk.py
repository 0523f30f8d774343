"""A disk that gets full, as a program: its folder's disk is small, or its files may not grow."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

from linescan.journal import JournalReader, JournalWriter, Stream
from linescan.journal.disk import BLOCK
from linescan.journal.folder import Folder, opened
from linescan.journal.layout import FILE_HEADER_BYTES
from linescan.journal.scan import Damage, walk
from linescan.protocol import Kind
from linescan.records import Interval
from tests.journal.entries import EPOCH, check, message, put, put_or_miss, section

BALLAST = "ballast"
STREAM = Stream(EPOCH, "web-1", Kind.INSPECTION)


def assert_whole(folder: Path) -> None:
    """Nothing follows the last whole record of each segment but zeros up to the next block."""
    for number in Folder(folder).numbers():
        path = Folder(folder).segment(number)
        with opened(path) as handle:
            for found in walk(handle, number, FILE_HEADER_BYTES, path.stat().st_size):
                if isinstance(found, Damage):
                    assert found.end == path.stat().st_size == -(-found.first // BLOCK) * BLOCK
                    assert not any(os.pread(handle, BLOCK, found.first))


@contextlib.contextmanager
def files_of(size: int) -> Iterator[None]:
    """No file of this process grows beyond ``size`` bytes."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limit[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)


def fill(folder: Path) -> None:
    """What lasts until there is no room, and goes on when there is again."""
    (folder / BALLAST).write_bytes(bytes(2_000_000))
    journal = folder / "journal"
    writer = JournalWriter(journal, section())
    writer.open()
    assert writer.state.ok
    stored = []
    for seq in range(60):
        if put_or_miss(writer, message(seq, size=100_000)):
            stored.append(message(seq, size=100_000))
        if seq % 7 == 0:
            writer.sync()
    assert 5 < len(stored) < 40
    assert [entry.key.seq for entry in stored] == list(range(len(stored)))
    missing = 60 - len(stored)
    state = writer.state
    assert (state.ok, state.missing) == (False, missing)
    assert state.since_ns
    assert "disk is full" in state.reason
    assert "free space there, or lower journal.max_gb" in state.reason
    assert writer.durable[STREAM] >= len(stored) - 1
    assert_whole(journal)
    check(journal, stored)
    reopen_while_full(journal, writer)
    check(journal, stored)
    (folder / BALLAST).unlink()
    put(writer, [message(61, size=100_000)])
    writer.sync()
    assert writer.state.ok
    assert writer.durable[STREAM] == 61
    reader = JournalReader(journal)
    assert reader.gaps(*STREAM) == [Interval(len(stored), missing + 1)]
    assert reader.epochs()[0].streams["web-1", Kind.INSPECTION] == (0, 61)
    writer.close()
    (journal / "index.sqlite").unlink()
    check(journal, [*stored, message(61, size=100_000)])
    assert reader.gaps(*STREAM) == [Interval(len(stored), missing + 1)]
    assert_whole(journal)


def reopen_while_full(journal: Path, writer: JournalWriter) -> None:
    """A start on a full disk does not fail, and does not harm what is there."""
    writer.close()
    for path in journal.glob("index*"):
        path.unlink()
    writer.open()
    assert not put_or_miss(writer, message(60, size=3_000_000))
    assert "the journal's disk is full" in writer.state.reason


if __name__ == "__main__":
    fill(Path(sys.argv[1]))
