"""What was appended survives the death of the process, also where the disk had not got it yet."""

from __future__ import annotations

import errno
import fcntl
import io
import logging
import os
import shutil
import time
import types
from pathlib import Path

import pytest
from rich.console import Console

from linescan.cli.journal_listing import Listing
from linescan.errors import JournalError
from linescan.journal import JournalReader, JournalWriter, Key, indexing, rescue, spool
from linescan.journal import writer as writing
from linescan.journal.audit import JournalAudit, Verdict
from linescan.journal.folder import Folder, opened
from linescan.journal.layout import FILE_HEADER_BYTES, Record
from linescan.journal.scan import walk
from linescan.journal.segment import Segment
from linescan.journal.spool import PAGE, PREFIX, SHARED
from linescan.records import Interval
from tests.journal.entries import message, same, section, seqs
from tests.journal.left_behind import KILLED, STREAM, all_wait, reopened, spooled, waiting
from tests.journal.runs import run

pytestmark = pytest.mark.usefixtures("nothing_stays")


def _os(**other: object) -> types.SimpleNamespace:
    """The module, with other functions."""
    return types.SimpleNamespace(**{**vars(os), **other})


def test_what_waits_for_the_disk_survives_a_kill(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    waiting(tmp_path, size=300_000)
    assert seqs(tmp_path) == []
    with caplog.at_level(logging.INFO):
        assert reopened(tmp_path) == [0, 1, 2]
    assert f"{KILLED} messages of a pipeline that was killed are written" in caplog.text
    kept = JournalReader(tmp_path).read(*STREAM, 0, 10)
    assert all(same(entry, message(n, size=300_000)) for n, entry in enumerate(kept))
    assert not Folder(tmp_path).spool.exists()
    assert reopened(tmp_path) == [0, 1, 2]


def test_whoever_looks_is_told_of_it(tmp_path: Path) -> None:
    waiting(tmp_path)

    def told() -> list[bool]:
        console = Console(file=io.StringIO())
        Listing(tmp_path).show(console)
        seen = (console.file.getvalue(), *JournalAudit(tmp_path).run().notes)  # type: ignore[attr-defined]
        return ["may wait in /dev/shm/linescan-journal-" in text for text in seen]

    assert told() == [True, True]
    writer = JournalWriter(tmp_path, section())
    writer.open()
    assert not any(told())
    writer.close()
    assert not any(told())


def test_it_is_durable_as_any_other(tmp_path: Path) -> None:
    waiting(tmp_path)
    writer = JournalWriter(tmp_path, section())
    writer.open()
    assert writer.sync() == {STREAM: KILLED - 1}
    writer.close()


def test_streams_are_interleaved_as_they_were(tmp_path: Path) -> None:
    entries = run(5)
    all_wait(tmp_path, entries)
    reopened(tmp_path)
    with opened(Folder(tmp_path).segment(1)) as handle:
        size = os.fstat(handle).st_size
        found = list(walk(handle, 1, FILE_HEADER_BYTES, size))
    assert [record.key for record in found if isinstance(record, Record)] == [
        entry.key for entry in entries
    ]
    report = JournalAudit(tmp_path).run()
    assert (report.findings, [r.verdict for r in report.runs]) == ([], [Verdict.PROVEN])


def test_a_message_that_is_damaged_there_is_missing(tmp_path: Path) -> None:
    waiting(tmp_path)
    with spooled(tmp_path).open("r+b") as memory:
        memory.seek(2 * PAGE + 500)
        memory.write(b"torn")
    assert reopened(tmp_path) == [0, 2]
    assert JournalReader(tmp_path).gaps(*STREAM) == [Interval(1, 1)]


def test_trouble_on_the_way_leaves_it_for_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting(tmp_path)
    with monkeypatch.context() as patch:
        append = JournalWriter.append

        def once(self: JournalWriter, key: object, *args: object) -> None:
            if getattr(key, "seq", 0) == 1:
                raise JournalError("no")
            append(self, key, *args)  # type: ignore[arg-type]

        patch.setattr(JournalWriter, "append", once)
        with pytest.raises(JournalError, match="no"):
            reopened(tmp_path)
    assert reopened(tmp_path) == [0, 1, 2]


def test_it_stays_while_the_disk_has_no_room_for_an_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(indexing, "recover", lambda folder: None)
        reopened(tmp_path)
    assert reopened(tmp_path) == [0, 1, 2]


def test_what_was_pruned_does_not_come_back(tmp_path: Path) -> None:
    waiting(tmp_path)
    kept = tmp_path / "kept"
    shutil.copy(spooled(tmp_path), kept)
    name = Folder(tmp_path).spool.read_text()
    writer = JournalWriter(tmp_path, section(max_age_h=1))
    writer.open()
    later = message(0, epoch="later", size=1 << 20, at_ns=10**18)  # so that another segment begins
    writer.append(later.key, later.published_ns, later.frames)
    writer.sync()
    writer.prune(10**18)
    writer.close()
    assert seqs(tmp_path) == []
    shutil.copy(kept, SHARED / name.strip())
    Folder(tmp_path).spool.write_text(name)
    assert reopened(tmp_path) == []


def test_a_copy_of_a_journal_does_not_take_what_the_original_writes(tmp_path: Path) -> None:
    original, copy = tmp_path / "original", tmp_path / "copy"
    writer = JournalWriter(original, section())
    writer.open()
    shutil.copytree(original, copy)
    assert writer._storing is not None
    with writer._storing._writing:
        writer.append(message(0).key, 1, message(0).frames)
        assert reopened(copy) == []
    writer.close()
    assert seqs(original) == [0]


def test_a_copy_of_a_killed_journal_leaves_the_original_what_waits(tmp_path: Path) -> None:
    original, copy, moved = (tmp_path / name for name in ("original", "copy", "moved"))
    waiting(original)
    shutil.copytree(original, copy)
    assert reopened(copy) == [0, 1, 2]
    original.rename(moved)
    assert reopened(moved) == [0, 1, 2]
    assert reopened(copy) == [0, 1, 2]


def test_the_last_moment_of_a_killed_process_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting(tmp_path)
    with opened(spooled(tmp_path)) as dying:
        assert spool.lock(dying)
        with monkeypatch.context() as patch:
            patch.setattr(rescue, "ENDS_S", 0)
            with pytest.raises(JournalError, match="another process has open what a killed"):
                reopened(tmp_path)
        monkeypatch.setattr(time, "sleep", lambda seconds: fcntl.flock(dying, fcntl.LOCK_UN))
        assert reopened(tmp_path) == [0, 1, 2]


def test_whoever_opens_the_journal_as_another_user_gets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert reopened(tmp_path) == [0, 1, 2]


def test_what_another_user_has_put_there_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    waiting(tmp_path)
    path, me = spooled(tmp_path), os.getuid()
    status = types.SimpleNamespace(st_uid=me + 1)
    with monkeypatch.context() as patch:
        patch.setattr(rescue, "os", _os(fstat=lambda handle: status))
        assert reopened(tmp_path) == []
    assert f"{path}: is user {me + 1}'s" in caplog.text
    path.unlink()


def test_more_than_the_segments_that_may_be_open_is_rescued(tmp_path: Path) -> None:
    count = writing.MOST_OPEN + 6  # so large that each fills a segment
    waiting(tmp_path, count, size=650_000, buffer_mb=64)
    assert reopened(tmp_path) == list(range(count))


def test_what_finds_no_room_at_the_next_start_is_missing_and_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    waiting(tmp_path)
    stage = Segment.stage

    def full(self: Segment, key: Key, *args: object, **kwargs: object) -> None:
        if key.seq == 1 and "missing" not in kwargs:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        stage(self, key, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(Segment, "stage", full)
    with caplog.at_level(logging.INFO):
        assert reopened(tmp_path) == [0, 2]
    assert "2 messages of a pipeline that was killed are written" in caplog.text
    assert "1 messages of a pipeline that was killed could not be written" in caplog.text
    assert JournalReader(tmp_path).gaps(*STREAM) == [Interval(1, 1)]


@pytest.mark.parametrize("name", ["../x", "other", f"{PREFIX}../../etc/passwd", "\xff", ""])
def test_no_other_file_is_taken_for_it(tmp_path: Path, name: str) -> None:
    Folder(tmp_path).spool.write_text(name, "latin-1")
    assert reopened(tmp_path) == []
