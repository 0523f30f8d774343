"""Retention: by age and size, in whole segments, sparing what is still needed up to the cap."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

import pytest

from linescan.journal import JournalReader, JournalWriter
from linescan.journal.folder import Folder
from linescan.journal.index import Index
from linescan.protocol import Kind
from tests.journal.entries import EPOCH, check, message, put, section, seqs

HOUR = 3600 * 10**9
NOW = 1000 * HOUR
EACH = 400_000
"""Two messages of so many bytes fill a segment."""


def write(folder: Path, count: int, **settings: object) -> JournalWriter:
    """One message an hour, the last one now."""
    writer = JournalWriter(folder, section(**settings))
    writer.open()
    first = NOW - (count - 1) * HOUR
    for seq in range(count):
        put(writer, [message(seq, size=EACH, at_ns=first + seq * HOUR)])
        with writer._sync_lock:  # sync, and leave pruning to the test
            writer._next_prune = time.monotonic() + 3600
    return writer


def prune(writer: JournalWriter, now_ns: int = NOW) -> list[int]:
    return [choice.number for choice in writer.prune(now_ns)]


@pytest.fixture(autouse=True)
def _no_pruning_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    real = JournalWriter._prune

    def only_where_asked(self: JournalWriter, storing: object, now_ns: int) -> list[object]:
        return real(self, storing, now_ns) if now_ns < 10**17 else []  # type: ignore

    monkeypatch.setattr(JournalWriter, "_prune", only_where_asked)


def test_by_age(tmp_path: Path) -> None:
    writer = write(tmp_path, 20, max_age_h=10)
    writer.sync()
    assert prune(writer) == [1, 2, 3, 4]  # whole segments: that of 9 and 10 hours ago stays
    assert seqs(tmp_path) == list(range(8, 20))
    assert JournalReader(tmp_path).epochs()[0].streams["web-1", Kind.INSPECTION] == (8, 19)
    assert prune(writer) == []
    writer.close()


def test_the_file_that_is_written_to_stays(tmp_path: Path) -> None:
    writer = write(tmp_path, 4, max_age_h=1)
    writer.sync()
    assert prune(writer, NOW + 500 * HOUR) == [1]
    assert seqs(tmp_path) == [2, 3]
    put(writer, [message(4)])
    writer.close()
    assert seqs(tmp_path) == [2, 3, 4]


def test_by_size(tmp_path: Path) -> None:
    writer = write(tmp_path, 20, max_gb=0.005)
    writer.sync()
    prune(writer)
    sizes = [Folder(tmp_path).segment(n).stat().st_size for n in Folder(tmp_path).numbers()]
    assert 4_000_000 - 2 * EACH < sum(sizes) < 5_000_000 - (1 << 20) + 2 * EACH
    kept = seqs(tmp_path)
    assert kept == list(range(kept[0], 20))
    writer.close()


def test_the_size_holds_at_any_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    writer = JournalWriter(tmp_path, section(max_gb=0.005))
    writer.open()
    for seq in range(60):
        put(writer, [message(seq, size=300_000)])
        writer.sync()
        sizes = [path.stat().st_size for path in Folder(tmp_path).segments.iterdir()]
        assert sum(sizes) <= 5_000_000
    assert seqs(tmp_path)[-1] == 59
    assert len(seqs(tmp_path)) > 9
    writer.close()


def test_what_was_not_acknowledged_stays(tmp_path: Path) -> None:
    writer = write(tmp_path, 20, max_age_h=1, keep_for=["qc", "archive"])
    put(writer, [message(0, kind=Kind.EVENT, at_ns=NOW)])
    writer.sync()
    stream = (EPOCH, "web-1", Kind.INSPECTION)
    assert prune(writer) == []  # nobody has acknowledged anything
    writer.acknowledgements.set("qc", *stream, 19)
    assert prune(writer) == []  # one has not
    writer.acknowledgements.set("archive", *stream, 6)
    assert prune(writer) == [1, 2, 3]  # the fourth holds 6 and 7
    assert seqs(tmp_path) == list(range(6, 20))
    writer.acknowledgements.set("other", *stream, 19)
    assert prune(writer) == []
    writer.acknowledgements.set("archive", *stream, 19)
    assert prune(writer) == [4, 5, 6, 7, 8, 9]
    writer.close()


def test_what_a_name_does_not_follow_need_not_wait_for_it(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, section(max_age_h=1, keep_for=["qc"]))
    writer.open()
    for epoch in ("a", "b"):
        for seq in range(4):
            put(writer, [message(seq, epoch=epoch, size=EACH, at_ns=0)])
            put(writer, [message(seq, epoch=epoch, kind=Kind.EVENT, at_ns=0)])
    writer.sync()
    writer.acknowledgements.set("qc", "a", "web-1", Kind.INSPECTION, 3)
    assert prune(writer) == [1, 2]  # events were never acknowledged; the next epoch must be
    writer.acknowledgements.set("qc", "a", "web-1", Kind.EVENT, 0)
    writer.acknowledgements.set("qc", "b", "web-1", Kind.INSPECTION, 3)
    assert prune(writer) == []
    writer.acknowledgements.set("qc", "b", "web-1", Kind.EVENT, 3)
    assert prune(writer) == [3]
    writer.close()


def test_the_cap_is_hard(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    writer = write(tmp_path, 20, max_gb=0.005, max_age_h=1, keep_for=["qc", "archive"])
    writer.sync()
    writer.acknowledgements.set("archive", EPOCH, "web-1", Kind.INSPECTION, 19)
    assert len(choices := writer.prune(NOW)) > 2
    assert {choice.cut_off for choice in choices} == {("qc",)}
    assert "before qc has acknowledged it: the journal has its full size" in caplog.text
    assert seqs(tmp_path)[-1] == 19
    writer.close()


def test_the_index_forgets_what_is_gone(tmp_path: Path) -> None:
    writer = write(tmp_path, 20, max_age_h=5)
    put(writer, [message(0, epoch="later", at_ns=NOW, size=EACH)])
    writer.sync()
    prune(writer, NOW + 4 * HOUR)
    index = Index.open(tmp_path / "index.sqlite")
    stream = message(0).key.stream
    kept = seqs(tmp_path)
    assert [place.seq for place in index.places(stream, 0, 99)] == kept
    assert sorted(index.positions()) == Folder(tmp_path).numbers()
    index.close()
    prune(writer, NOW + 400 * HOUR)
    assert [epoch.epoch for epoch in JournalReader(tmp_path).epochs()] == ["later"]
    index = Index.open(tmp_path / "index.sqlite")
    assert list(index.streams()) == [stream._replace(epoch="later")]
    index.close()
    writer.close()


def test_files_that_somebody_else_removed(tmp_path: Path) -> None:
    writer = write(tmp_path, 8)
    writer.sync()
    for number in (1, 2):
        Folder(tmp_path).segment(number).unlink()
    assert seqs(tmp_path) == [4, 5, 6, 7]
    assert JournalReader(tmp_path).epochs()[0].streams["web-1", Kind.INSPECTION] == (4, 7)
    prune(writer)
    index = Index.open(tmp_path / "index.sqlite")
    assert sorted(index.positions()) == [3, 4]
    index.close()
    writer.close()
    writer.open()
    writer.close()
    check(tmp_path, [message(s, size=EACH, at_ns=NOW - (7 - s) * HOUR) for s in range(4, 8)])


def test_a_reader_that_is_on_its_way_keeps_its_file(tmp_path: Path) -> None:
    writer = write(tmp_path, 20, max_age_h=1)
    writer.sync()
    reading = JournalReader(tmp_path).read(EPOCH, "web-1", Kind.INSPECTION, 0, 99)
    assert next(reading).key.seq == 0
    prune(writer)
    rest = [entry.key.seq for entry in reading]
    assert rest[0] == 1  # its file was open
    assert rest[1:] == [18, 19]
    writer.close()


def test_retention_without_an_index_keeps_the_cap(tmp_path: Path) -> None:
    writer = write(tmp_path, 20, max_gb=0.005, keep_for=["qc"])
    writer.sync()
    writer._indexing.close()
    assert len(writer.prune(NOW)) > 2
    writer.close()


def test_pruning_while_appending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    writer = JournalWriter(tmp_path, section(max_gb=0.005))
    writer.open()
    done = threading.Event()

    def sync() -> None:
        while not done.is_set():
            writer.sync()

    thread = threading.Thread(target=sync)
    thread.start()
    put(writer, (message(seq, size=100_000) for seq in range(300)))
    done.set()
    thread.join()
    writer.sync()
    kept = seqs(tmp_path)
    assert kept == list(range(kept[0], 300))
    writer.close()
