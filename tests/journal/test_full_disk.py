"""A full disk: nothing half-written stays, what is missing is noted, and it goes on by itself."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from linescan.errors import JournalError
from linescan.journal import JournalReader, JournalState, JournalWriter, Stream, missing, writer
from linescan.journal.segment import Segment
from linescan.protocol import Kind
from linescan.records import Interval
from tests.journal.entries import EPOCH, check, message, put, put_or_miss, section
from tests.journal.small_disk import STREAM, assert_whole, files_of

MOUNT = 'mount -t tmpfs -o size=4m none "$1" && exec "$2" -m tests.journal.small_disk "$1"'


def with_mounts() -> list[str]:
    """What runs a command that may mount: in a user namespace, or as root."""
    for command in (["unshare", "--user", "--map-root-user", "--mount"], ["unshare", "--mount"]):
        if not subprocess.run([*command, "true"], capture_output=True).returncode:
            return command
    pytest.fail("this test needs the right to mount: user namespaces, or root")


def test_a_disk_of_four_megabytes(tmp_path: Path) -> None:
    command = [*with_mounts(), "sh", "-ec", MOUNT, "sh", str(tmp_path), sys.executable]
    run = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert run.returncode == 0, run.stderr
    assert list(tmp_path.iterdir()) == []


def test_files_that_may_not_grow(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path, section(segment_mb=16))
    journal.open()
    put(journal, [message(0), message(1)])
    with files_of(150_000):
        assert not put_or_miss(journal, message(2, size=1_000_000))
        assert not put_or_miss(journal, message(3, size=1_000_000))
        assert not journal.state.ok
        assert_whole(tmp_path)
        journal.sync()
        check(tmp_path, [message(0), message(1)])
        assert JournalReader(tmp_path).gaps(*STREAM) == [Interval(2, 2)]
    assert put_or_miss(journal, message(4, size=1_000_000))
    journal.sync()
    assert journal.state == JournalState(True, None, "", 2)
    journal.close()
    check(tmp_path, [message(0), message(1), message(4, size=1_000_000)])


def test_small_messages_do_not_end_the_alarm_of_large_ones(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path, section(segment_mb=16))
    journal.open()
    with files_of(150_000):
        assert not put_or_miss(journal, message(0, size=1_000_000))
        assert put_or_miss(journal, message(0, kind=Kind.EVENT))
        assert not journal.state.ok
    journal.close()


def test_a_disk_that_fails_to_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No disk can be made to fail here: the system call is made to."""
    journal = JournalWriter(tmp_path, section())
    journal.open()
    put(journal, [message(0), message(0, kind=Kind.EVENT)])
    journal.sync()
    put(journal, [message(1), message(2), message(1, kind=Kind.EVENT)])

    def fail(self: Segment, size: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(Segment, "sync", fail)
        with pytest.raises(JournalError, match="cannot be written: Input/output error"):
            journal.sync()
    assert journal.durable[STREAM] == 0
    assert [journal.state.ok, journal.state.missing] == [False, 3]
    check(tmp_path, [message(0)])
    put(journal, [message(3), message(2, kind=Kind.EVENT)])
    journal.sync()
    assert journal.state == JournalState(True, None, "", 3)
    assert journal.durable == {STREAM: 3, STREAM._replace(kind=Kind.EVENT): 2}
    journal.close()
    check(tmp_path, [message(0), message(3)])
    reader = JournalReader(tmp_path)
    assert reader.gaps(*STREAM) == [Interval(1, 2)]
    assert reader.gaps(EPOCH, "web-1", Kind.EVENT) == [Interval(1, 1)]


def test_what_waits_for_a_gap_record_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(missing, "MOST_RUNS", 3)
    waiting = missing.Missing()
    for seq in range(0, 20, 2):
        waiting.add(Stream(*STREAM), seq, 1)
    assert [run.first for _, run in waiting.waiting()] == [14, 16, 18]
    assert waiting.total == 10
    waiting.add(STREAM, 19, 5)
    assert waiting.waiting()[-1] == (STREAM, Interval(18, 6))


def test_what_is_missing_while_a_gap_record_is_written_waits_for_the_next() -> None:
    waiting = missing.Missing()
    waiting.add(STREAM, 3, 2)
    ((stream, run),) = waiting.waiting()
    waiting.add(STREAM, 5, 1)
    waiting.written(stream, run)
    assert waiting.waiting() == [(STREAM, Interval(5, 1))]
    waiting.written(STREAM, Interval(5, 1))
    assert waiting.waiting() == []


@pytest.mark.parametrize(("limit", "count"), [("MOST_OPEN", 8), ("MOST_PENDING", 100)])
def test_what_waits_for_a_sync_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, count: int
) -> None:
    """Beyond, nothing is kept, and nobody waits: a disk that hangs must not hold up the line."""
    monkeypatch.setattr(writer, limit, 2)
    journal = JournalWriter(tmp_path, section())
    journal.open()
    messages = [message(seq, size=600_000 if count == 8 else 1) for seq in range(count)]
    stored = [put_or_miss(journal, each) for each in messages]
    kept = sum(stored)
    assert stored == [True] * kept + [False] * (count - kept)
    assert 2 <= kept <= 6
    assert (journal.durable, journal.state.ok) == ({}, False)
    assert journal.sync()[STREAM] == count - 1  # the gap is on record
    put(journal, [message(count)])
    assert journal.sync()[STREAM] == count
    journal.close()
    reader = JournalReader(tmp_path)
    found = [e.key.seq for e in reader.read(EPOCH, "web-1", Kind.INSPECTION, 0, count)]
    assert found == [*range(kept), count]
