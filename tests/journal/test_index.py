"""The index may be deleted, broken or old at any time: the segments say the same."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from linescan.journal import JournalReader, JournalWriter, indexing
from linescan.journal.folder import Folder
from linescan.journal.index import Index
from linescan.protocol import Kind
from linescan.records import Interval
from tests.journal.entries import EPOCH, check, message, put, section, segments

INDEX = "index.sqlite"


def delete(folder: Path) -> None:
    for path in folder.glob(f"{INDEX}*"):
        path.unlink()


def empty(folder: Path) -> None:
    (folder / INDEX).write_bytes(b"")


def garbage(folder: Path) -> None:
    (folder / INDEX).write_bytes(os.urandom(20_000))


def half(folder: Path) -> None:
    data = (folder / INDEX).read_bytes()
    (folder / INDEX).write_bytes(data[: len(data) // 2])


def holes(folder: Path) -> None:
    data = bytearray((folder / INDEX).read_bytes())
    data[4096:] = bytes(len(data) - 4096)
    (folder / INDEX).write_bytes(data)


def other_version(folder: Path) -> None:
    with sqlite3.connect(folder / INDEX) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()


def wrong_offsets(folder: Path) -> None:
    with sqlite3.connect(folder / INDEX) as connection:
        connection.execute("UPDATE entries SET offset = offset + 1 WHERE seq % 3 = 1")
    connection.close()


def of_another_journal(folder: Path) -> None:
    other = folder.with_name("other")
    writer = JournalWriter(other, section())
    writer.open()
    put(writer, [message(seq, epoch="other") for seq in range(50)])
    writer.close()
    delete(folder)
    shutil.copy(other / INDEX, folder / INDEX)


BREAKS = [delete, empty, garbage, half, holes, other_version, wrong_offsets, of_another_journal]


@pytest.mark.parametrize("spoil", BREAKS)
def test_the_index_is_never_needed(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    folder = tmp_path / "journal"
    entries = [message(seq, size=30_000) for seq in range(100)]
    events = [message(seq, kind=Kind.EVENT) for seq in range(20)]
    writer = JournalWriter(folder, section())
    writer.open()
    put(writer, [*entries, *events])
    writer.note_missing(message(100).key)
    writer.close()
    before = JournalReader(folder).epochs()
    spoil(folder)
    for _ in ("by reading the segments", "made anew by the writer"):
        check(folder, entries)
        check(folder, events, kind=Kind.EVENT)
        reader = JournalReader(folder)
        assert reader.epochs() == before
        assert reader.gaps(EPOCH, "web-1", Kind.INSPECTION) == [Interval(100, 1)]
        writer.open()
        writer.close()
    put_after = message(101)
    writer.open()
    put(writer, [put_after])
    writer.close()
    check(folder, [*entries, put_after])


def test_an_old_index_is_brought_up_to_date(tmp_path: Path) -> None:
    entries = [message(seq, size=30_000) for seq in range(100)]
    writer = JournalWriter(tmp_path, section())
    writer.open()
    put(writer, entries[:50])
    writer.close()
    shutil.copy(tmp_path / INDEX, tmp_path / "old")
    writer.open()
    put(writer, entries[50:])
    writer.close()
    delete(tmp_path)
    shutil.copy(tmp_path / "old", tmp_path / INDEX)
    check(tmp_path, entries)
    writer.open()
    writer.close()
    index = Index.open(tmp_path / INDEX)
    sizes = {n: Folder(tmp_path).segment(n).stat().st_size for n in Folder(tmp_path).numbers()}
    assert index.positions() == sizes
    assert len(list(index.places(entries[0].key.stream, 0, 99))) == 100
    index.close()


def test_deleting_the_index_while_the_writer_runs(tmp_path: Path) -> None:
    entries = [message(seq) for seq in range(30)]
    writer = JournalWriter(tmp_path, section())
    writer.open()
    put(writer, entries[:10])
    writer.sync()
    delete(tmp_path)
    put(writer, entries[10:20])
    writer.sync()
    check(tmp_path, entries[:20])
    writer.close()
    writer.open()
    put(writer, entries[20:])
    writer.close()
    check(tmp_path, entries)


def test_reading_needs_no_right_to_write(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, section())
    writer.open()
    put(writer, [message(0)])
    writer.sync()
    names = {path.name: path.read_bytes() for path in tmp_path.glob("segments/*")}
    check(tmp_path, [message(0)])
    assert {path.name: path.read_bytes() for path in tmp_path.glob("segments/*")} == names
    writer.close()


def test_an_index_that_breaks_while_the_writer_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "AGAIN_S", 0.0)
    writer = JournalWriter(tmp_path, section())
    writer.open()
    put(writer, [message(seq) for seq in range(10)])
    writer.sync()
    with sqlite3.connect(tmp_path / INDEX) as connection:
        connection.execute("DROP TABLE entries")  # an error that stays
    connection.close()
    put(writer, [message(seq) for seq in range(10, 20)])
    writer.sync()
    check(tmp_path, [message(seq) for seq in range(20)])
    writer._indexing.close()
    put(writer, [message(seq) for seq in range(20, 30)])
    writer.sync()
    index = Index.open(tmp_path / INDEX)
    assert len(list(index.places(message(0).key.stream, 0, 99))) == 30
    index.close()
    check(tmp_path, [message(seq) for seq in range(30)])
    writer.close()


def test_garbage_in_the_index_while_the_writer_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "AGAIN_S", 0.0)
    writer = JournalWriter(tmp_path, section())
    writer.open()
    put(writer, [message(seq) for seq in range(2000)])
    writer.sync()
    connection = sqlite3.connect(tmp_path / INDEX)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    data = bytearray((tmp_path / INDEX).read_bytes())
    data[100:] = os.urandom(len(data) - 100)
    (tmp_path / INDEX).write_bytes(data)
    for seq in range(2000, 2010):
        put(writer, [message(seq)])
        writer.sync()
    check(tmp_path, [message(seq) for seq in range(2010)])
    writer.close()
    writer.open()
    writer.close()
    index = Index.open(tmp_path / INDEX, writable=True)
    assert len(list(index.places(message(0).key.stream, 0, 9999))) == 2010
    index.close()


def test_the_index_is_never_ahead_of_the_disk(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, section())
    writer.open()
    put(writer, [message(seq, size=300_000) for seq in range(4)])
    writer.sync()
    known = list(segments(writer))
    synced = {segment.number: segment.synced for segment in known}
    put(writer, [message(seq, size=300_000) for seq in range(4, 8)])  # the last in a new segment
    assert len(segments(writer)) > len(known)
    assert segments(writer)[0].size > known[0].synced
    writer._indexing.close()
    writer._indexing._behind = True
    writer._indexing.enter([], known)
    index = Index.open(tmp_path / INDEX)
    positions = {number: end for number, end in index.positions().items() if number in synced}
    assert positions == synced
    assert max(index.positions()) == max(synced)
    index.close()
    writer.close()
    check(tmp_path, [message(seq, size=300_000) for seq in range(8)])
