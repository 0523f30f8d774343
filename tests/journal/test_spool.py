"""What was appended survives the death of the process, also where the disk had not got it yet."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import logging
import os
import shutil
import signal
import time
import types
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from linescan.cli.journal_listing import Listing
from linescan.errors import JournalError
from linescan.journal import Entry, JournalReader, JournalWriter, Key, indexing, rescue, spool
from linescan.journal import writer as writing
from linescan.journal.audit import JournalAudit, Verdict
from linescan.journal.folder import Folder, opened
from linescan.journal.layout import FILE_HEADER_BYTES, Record
from linescan.journal.scan import walk
from linescan.journal.segment import Segment, prepare
from linescan.journal.spool import PAGE, PREFIX, SHARED, Place, Spool
from linescan.records import Interval
from tests.journal.entries import message, same, section, seqs
from tests.journal.runs import run

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


def _os(**other: object) -> types.SimpleNamespace:
    """The module, with other functions."""
    return types.SimpleNamespace(**{**vars(os), **other})


@pytest.fixture(autouse=True)
def nothing_stays(tmp_path: Path) -> Iterator[None]:
    yield
    for path in SHARED.glob(f"{PREFIX}*"):
        with contextlib.suppress(FileNotFoundError), opened(path) as handle:
            named_by = spool.owner(handle)
            assert not (named_by and named_by.is_relative_to(tmp_path))


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


def test_an_interrupted_append_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = JournalWriter(tmp_path, section())
    writer.open()
    with monkeypatch.context() as patch:

        def interrupted(*args: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(Spool, "fill", interrupted)
        with pytest.raises(KeyboardInterrupt):
            writer.append(message(0).key, 1, message(0).frames)
    writer.append(message(1).key, 1, message(1).frames)
    writer.flush(10.0)
    writer.close()
    assert seqs(tmp_path) == [0, 1]


@pytest.mark.parametrize("name", ["../x", "other", f"{PREFIX}../../etc/passwd", "\xff", ""])
def test_no_other_file_is_taken_for_it(tmp_path: Path, name: str) -> None:
    Folder(tmp_path).spool.write_text(name, "latin-1")
    assert reopened(tmp_path) == []


def test_what_a_journal_left_that_is_gone_goes_after_a_day(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("gone", "gone today", "there", "open")]
    for folder in folders[:3]:
        waiting(folder)
    writer = JournalWriter(folders[3], section())
    writer.open()
    spools = [spooled(folder) for folder in folders]
    for folder in folders[:2]:
        shutil.rmtree(folder)
    Folder(folders[3]).spool.unlink()
    for path in (spools[0], spools[2], spools[3]):
        os.utime(path, (0, 0))
    spool.sweep()
    assert [path.exists() for path in spools] == [False, True, True, True]
    writer.close()
    spools[1].unlink()
    assert reopened(folders[2]) == [0, 1, 2]


def _nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "SHARED", Path("/nowhere"))


def _full(monkeypatch: pytest.MonkeyPatch) -> None:
    def allocate(handle: int, first: int, size: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", allocate)


@pytest.mark.parametrize("spoil", [_nowhere, _full])
def test_without_shared_memory_the_journal_does_without(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    spoil: Callable[[pytest.MonkeyPatch], None],
) -> None:
    spoil(monkeypatch)
    writer = JournalWriter(tmp_path, section())
    writer.open()
    for seq in range(3):
        writer.append(message(seq).key, 1, message(seq).frames)
    writer.close()
    assert seqs(tmp_path) == [0, 1, 2]
    assert caplog.text.count("those of the last moment are lost") == 1


def test_a_message_larger_than_all_of_it_waits_elsewhere(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, section(buffer_mb=1))
    writer.open()
    for seq in range(3):
        entry = message(seq, size=3 << 20)
        writer.append(entry.key, 1, entry.frames)
        writer.flush()
    writer.close()
    assert seqs(tmp_path) == [0, 1, 2]


def test_memory_of_a_running_pipeline_does_not_age(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, section())
    writer.open()
    os.utime(spooled(tmp_path), (0, 0))
    writer.prune(0)  # as each sync does now and then
    assert spooled(tmp_path).stat().st_mtime > 0
    writer.close()


def test_any_file_may_stand_where_a_journal_was(tmp_path: Path) -> None:
    waiting(tmp_path)
    path = spooled(tmp_path)
    Folder(tmp_path).spool.write_bytes(b"\xff\xfe")
    os.utime(path, (0, 0))
    spool.sweep()
    assert not path.exists()


SIZES = st.lists(st.integers(0, 40 * PAGE), max_size=60)


@given(SIZES, st.randoms(use_true_random=False))
def test_places_never_overlap_and_never_exceed_the_limit(sizes: list[int], rng: object) -> None:
    most = 65 * PAGE
    room = Spool(Folder(Path("/nowhere")), most)
    room._path, room._allocated = Path("/nowhere"), most
    taken: deque[Place] = deque()
    for size in sizes:
        key, parts = message(0).key, prepare([bytes(size)])
        while not room.fits(key, parts):
            room.give_back(taken.popleft())
        place = room.take(key, parts)
        assert place is not None, "an empty spool has room for it"
        assert PAGE <= place.first < place.end <= most
        assert place.end - place.first > size
        assert all(place.end <= other.first or other.end <= place.first for other in taken)
        taken.append(place)
        for _ in range(rng.randrange(len(taken) + 1)):  # type: ignore[attr-defined]
            room.give_back(taken.popleft())


def test_memory_is_used_again_while_the_disk_keeps_up(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, section(buffer_mb=64, segment_mb=64))
    writer.open()
    for seq in range(40):
        entry = message(seq, size=1 << 20)
        writer.append(entry.key, 1, entry.frames)
        writer.flush()
    assert writer._spool._allocated == spool.STEP
    writer.close()
    assert len(seqs(tmp_path)) == 40
