"""Disks that hang, fail and recover: numbers stay right, nothing is called durable too early."""

from __future__ import annotations

import errno
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from linescan.errors import JournalError
from linescan.journal import JournalReader, JournalWriter, indexing, recovery
from linescan.journal.by_hand import prune_by_hand
from linescan.journal.folder import Folder, opened
from linescan.journal.index import Index
from linescan.journal.layout import FILE_HEADER_BYTES, Record
from linescan.journal.scan import walk
from linescan.journal.segment import Segment
from linescan.pipeline.keeping import Keeping
from linescan.protocol import Kind
from linescan.protocol.checksum import Frames, crc32c
from linescan.publishing import Stream as Published
from linescan.publishing.journalling import Journalling
from linescan.publishing.positions import Found, look
from linescan.records import Interval
from tests.journal.entries import EPOCH, check, message, put, read_all, section, segments, seqs
from tests.journal.small_disk import STREAM
from tests.waiting import PATIENCE_S, wait_until

BIG = 600_000
"""One message of so many bytes and a small one fill a segment."""
EIO = OSError(errno.EIO, "Input/output error")


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[JournalWriter]:
    journal = JournalWriter(tmp_path, section())
    journal.open()
    yield journal
    journal.close()


def failing(patch: pytest.MonkeyPatch, *numbers: int) -> None:
    """No disk can be made to fail here: the system call is made to, for some segments."""
    real = Segment.sync

    def sync(self: Segment, size: int) -> None:
        if self.number in numbers:
            raise EIO
        real(self, size)

    patch.setattr(Segment, "sync", sync)


def test_durable_stops_at_a_hole(
    tmp_path: Path, writer: JournalWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older segment fails, a newer one does not."""
    put(writer, [message(0, size=BIG)])
    writer.sync()
    put(writer, [message(seq, size=BIG) for seq in (1, 2)])
    assert [segment.number for segment in segments(writer)] == [1, 2, 3]
    with monkeypatch.context() as patch:
        failing(patch, 2)
        with pytest.raises(JournalError, match="Input/output error"):
            writer.sync()
    assert writer.durable == {STREAM: 0}
    assert (writer.state.ok, writer.state.missing) == (False, 1)
    assert seqs(tmp_path) == [0, 2]
    writer.sync()  # now the gap is on record
    assert writer.durable == {STREAM: 2}
    assert (writer.state.ok, writer.state.missing) == (True, 1)
    assert JournalReader(tmp_path).gaps(*STREAM) == [Interval(1, 1)]


def test_a_gap_record_that_is_lost_counts_once(
    tmp_path: Path, writer: JournalWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(writer, [message(0)])
    writer.sync()
    put(writer, [message(1)])
    for failed in (1, 2):
        with monkeypatch.context() as patch:
            failing(patch, failed)
            with pytest.raises(JournalError, match="Input/output error"):
                writer.sync()
        assert (writer.durable, writer.state.missing) == ({STREAM: 0}, 1)
        writer.flush()
    writer.sync()
    assert (writer.durable, writer.state.missing) == ({STREAM: 1}, 1)
    assert JournalReader(tmp_path).gaps(*STREAM) == [Interval(1, 1)]


def test_the_status_counts_what_a_failed_sync_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    journalling = Journalling(Keeping(section(folder=tmp_path)), 0.01)
    journalling.open()
    stream = Published(EPOCH, "web-1", Kind.INSPECTION)
    assert all(journalling.append(stream, seq, 1, message(seq).frames) for seq in range(3))
    with monkeypatch.context() as patch:
        failing(patch, 1)
        assert not journalling._sync()
    found = journalling.state()
    assert (found["state"], found["missing"], journalling.durable) == ("failing", 3, {})
    assert "Input/output error" in found["message"]
    assert caplog.text.count("ALARM") == 1
    assert journalling.append(stream, 3, 1, message(3).frames)
    assert journalling._sync()
    assert journalling.state() == {
        "state": "ok",
        "since_ns": None,
        "message": None,
        "missing": 3,
    }
    assert journalling.durable == {stream: 3}
    journalling.journal.close()


def test_a_disk_that_hangs_holds_nobody_up_and_takes_no_more_memory(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path, section(buffer_mb=1))
    journal.open()
    storing = journal._storing
    assert storing is not None
    with storing._writing:  # as a write that does not end
        for seq in range(5):
            journal.append(message(seq).key, 1, (bytes(200_000),))
        for seq in range(5, 20):  # 1 MB waits already
            with pytest.raises(JournalError, match="the disk does not keep up"):
                journal.append(message(seq).key, 1, (bytes(200_000),))
        assert (journal.state.ok, journal.state.missing) == (False, 15)
        with pytest.raises(JournalError, match="does not answer"):
            journal.flush(0.01)
    assert journal.sync() == {STREAM: 19}
    assert (journal.state.ok, journal.state.missing) == (True, 15)
    journal.close()
    assert seqs(tmp_path) == [0, 1, 2, 3, 4]
    assert JournalReader(tmp_path).gaps(*STREAM) == [Interval(5, 15)]


def test_positions_name_what_waits_for_the_disk(tmp_path: Path) -> None:
    """Else who begins with the oldest would begin after it."""
    keeping = Keeping(section(folder=tmp_path))
    keeping.open()
    storing = keeping._writer._storing
    assert storing is not None
    stream, found = Published(EPOCH, "web-1", Kind.INSPECTION), list[Found]()
    looking = threading.Thread(target=lambda: found.append(look(keeping, None)))
    with storing._writing:
        keeping.append(stream, 0, 1, message(0).frames)
        wait_until(lambda: storing._backlog.is_empty)  # the thread has taken it
        looking.start()
        wait_until(lambda: bool(storing._backlog._marks) or bool(found))
    looking.join(PATIENCE_S)
    assert [kept.streams for kept in found[0].epochs] == [{stream: (0, 0)}]
    keeping.close()


def test_what_fails_unexpectedly_is_missing_and_not_there_as_well(
    tmp_path: Path, writer: JournalWriter
) -> None:
    storing = writer._storing
    assert storing is not None
    with storing._writing:
        writer.append(message(0).key, 1, message(0).frames)
        wait_until(lambda: writer._backlog.is_empty)  # the thread has taken it
        writer.append(message(1).key, 1, message(1).frames)
        writer.append(message(2).key, 2**63, message(2).frames)  # no time of this world
    writer.flush()
    writer.append(message(3).key, 1, message(3).frames)
    assert writer.sync() == {STREAM: 3}
    assert (seqs(tmp_path), writer.state.missing) == ([0, 3], 2)
    assert JournalReader(tmp_path).gaps(*STREAM) == [Interval(1, 2)]


def test_a_gap_is_not_on_record_before_what_waits(tmp_path: Path, writer: JournalWriter) -> None:
    """Else its sync would call durable what is not written."""
    storing = writer._storing
    assert storing is not None
    with storing._writing:
        writer.append(message(0).key, 1, message(0).frames)
        while not writer._backlog.is_empty:  # until the thread has taken it
            time.sleep(0.001)
        writer.append(message(1).key, 1, message(1).frames)
        writer.note_missing(message(2).key)
        writer.append(message(3).key, 1, message(3).frames)
    writer.sync()
    assert [record.key.seq for record in records(tmp_path)] == [0, 1, 2, 3]


def records(folder: Path) -> list[Record]:
    path = Folder(folder).segment(1)
    with opened(path) as handle:
        found = list(walk(handle, 1, FILE_HEADER_BYTES, path.stat().st_size))
    return [record for record in found if isinstance(record, Record)]


def test_by_hand_spares_what_a_running_pipeline_has_not_synced(
    tmp_path: Path, writer: JournalWriter
) -> None:
    put(writer, [message(seq, size=BIG) for seq in range(2)])
    writer.sync()
    put(writer, [message(seq, size=BIG) for seq in range(2, 5)])
    prune_by_hand(tmp_path, older_than_ns=0, most_bytes=0)
    assert seqs(tmp_path) == [2, 3, 4]
    writer.sync()
    assert writer.durable == {STREAM: 4}
    prune_by_hand(tmp_path, older_than_ns=0, most_bytes=0)
    assert seqs(tmp_path) == [4]


def test_what_the_index_does_not_know_is_not_too_old(tmp_path: Path, writer: JournalWriter) -> None:
    put(writer, [message(0, size=BIG, at_ns=0)])
    writer.sync()
    writer._indexing._behind, writer._indexing._next_try = True, 1e18
    put(writer, [message(1, size=1000)])
    put(writer, [message(seq, size=BIG) for seq in (2, 3)])
    writer.sync()  # the first segment is indexed in part
    assert writer.prune() == []
    assert seqs(tmp_path) == [0, 1, 2, 3]


def test_age_needs_no_new_messages(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path, section(max_age_h=1))
    journal.open()
    put(journal, [message(seq, size=BIG) for seq in range(3)])
    journal._next_prune = 1e18
    while len(segments(journal)) > 1:
        journal.sync()
    put(journal, [])
    journal._next_prune = 0.0
    journal.sync()
    assert seqs(tmp_path) == [2]
    journal.close()


def test_making_the_index_good_is_bounded(
    tmp_path: Path, writer: JournalWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "AGAIN_S", 0.0)
    monkeypatch.setattr(indexing, "AT_ONCE_S", 0.0)
    monkeypatch.setattr(recovery, "_BATCH", 10)
    put(writer, [message(seq, size=10) for seq in range(50)])
    writer._indexing.close()
    writer._indexing._behind = True
    known = []
    for _ in range(6):
        writer.sync()
        index = Index.open(tmp_path / "index.sqlite")
        known.append(len(list(index.places(STREAM, 0, 99))))
        index.close()
        assert seqs(tmp_path) == list(range(50))
    assert known == [10, 20, 30, 40, 50, 50]
    assert not writer._indexing._behind


def test_a_torn_message_in_a_segment_before_the_last(tmp_path: Path) -> None:
    """A loss of power may leave several files unsynced."""
    journal = JournalWriter(tmp_path, section())
    journal.open()
    put(journal, [message(seq, size=BIG) for seq in range(3)])
    journal.close()
    path = Folder(tmp_path).segment(2)
    data = path.read_bytes()
    path.write_bytes(data[:-4000] + bytes(4000) + bytes(50))
    (tmp_path / "index.sqlite").unlink()
    journal.open()
    index = Index.open(tmp_path / "index.sqlite")
    assert [place.seq for place in index.places(STREAM, 0, 9)] == [0, 2]
    index.close()
    journal.close()
    assert seqs(tmp_path) == [0, 2]
    assert path.stat().st_size == len(data)  # what is damaged stays, what follows it does not


def test_checksums_that_are_known_are_not_computed_again(
    tmp_path: Path, writer: JournalWriter
) -> None:
    parts = [b"topic", b"header", b"data"]
    known = crc32c(memoryview(parts[2]))
    assert known is not None
    writer.append(message(0).key, 1, Frames(parts, {2: known}))
    writer.append(message(1).key, 1, Frames(parts, {2: known ^ 1}))
    writer.sync()
    (entry,) = read_all(tmp_path)
    assert [bytes(frame) for frame in entry.frames] == parts


def test_a_journal_that_was_closed_takes_nothing(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path, section())
    journal.open()
    journal.close()
    with pytest.raises(JournalError, match="the journal is not open"):
        journal.append(message(0).key, 1, message(0).frames)
    check(tmp_path, [])
