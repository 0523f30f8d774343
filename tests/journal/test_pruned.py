"""What is known of runs of which nothing is left."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from linescan.journal import JournalReader, JournalWriter, Stream, pruned
from linescan.journal.by_hand import prune_by_hand
from linescan.journal.folder import Folder
from linescan.journal.pruned import Pruned
from linescan.pipeline.keeping import Keeping
from linescan.protocol import Kind
from linescan.publishing import Stream as Published
from tests.journal.entries import message, put, section

LATER = time.time_ns() + 10 * 3600 * 10**9
"""When all that is written here is too old."""
BIG = 600_000
"""One message of so many bytes fills a segment with some others."""


def stream(epoch: str, kind: Kind = Kind.INSPECTION) -> Stream:
    return Stream(epoch, "web-1", kind)


def write(folder: Path, *epochs: str) -> JournalWriter:
    """Each epoch fills two segments, and ends with an event."""
    at = time.time_ns()
    writer = JournalWriter(folder, section(max_age_h=1))
    writer.open()
    for epoch in epochs:
        put(writer, [message(seq, epoch=epoch, size=BIG, at_ns=at) for seq in range(2)])
        put(writer, [message(0, epoch=epoch, kind=Kind.EVENT, at_ns=at)])
    writer.sync()
    return writer


@pytest.mark.parametrize("with_index", [True, False])
def test_a_run_that_was_wholly_pruned_is_known(tmp_path: Path, with_index: bool) -> None:
    writer = write(tmp_path, "a", "b", "c")
    if not with_index:
        writer._indexing.close()
    writer.prune(LATER)
    gone = {stream("a"): 1, stream("b"): 1}
    gone |= {stream(epoch, Kind.EVENT): 0 for epoch in "ab"}
    reader = JournalReader(tmp_path)
    assert reader.pruned() == gone
    assert {epoch.epoch for epoch in reader.epochs()} == {"c"}  # of it, the newest file is left
    assert Pruned(Folder(tmp_path)).read()[stream("c")] == 0
    writer.close()
    for path in tmp_path.glob("index*"):
        path.unlink()
    writer.open()
    writer.close()
    assert reader.pruned() == gone


def test_by_hand_and_by_other_means(tmp_path: Path) -> None:
    write(tmp_path, "a", "b", "c").close()
    prune_by_hand(tmp_path, older_than_ns=None, most_bytes=2_500_000)
    assert stream("a") in JournalReader(tmp_path).pruned()
    Folder(tmp_path).segment(Folder(tmp_path).numbers()[0]).unlink()
    Folder(tmp_path).segment(Folder(tmp_path).numbers()[0]).unlink()
    write(tmp_path).close()  # the index still knew what was in them
    assert JournalReader(tmp_path).pruned()[stream("b")] == 1


def test_the_publisher_hears_of_it(tmp_path: Path) -> None:
    writer = write(tmp_path, "a", "b")
    writer.prune(LATER)
    writer.close()
    keeping = Keeping(section(folder=tmp_path))
    keeping.open()
    assert keeping.pruned() == {
        Published("a", "web-1", Kind.INSPECTION): 1,
        Published("a", "web-1", Kind.EVENT): 0,
    }
    keeping.close()


def test_what_is_remembered_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruned, "MOST_EPOCHS", 2)
    Folder(tmp_path).segments.mkdir()
    known = Pruned(Folder(tmp_path))
    for epoch in "abcd":
        known.note({stream(epoch): 5, stream(epoch, Kind.EVENT): 1})
    known.note({stream("c"): 3})
    assert known.read() == {
        stream("d"): 5,
        stream("d", Kind.EVENT): 1,
        stream("c"): 5,
        stream("c", Kind.EVENT): 1,
    }


@pytest.mark.parametrize("data", [b"", b"[]", b'{"streams": [{"epoch": "a"}]}', b"\xff"])
def test_a_damaged_file_is_made_anew(tmp_path: Path, data: bytes) -> None:
    folder = Folder(tmp_path)
    folder.segments.mkdir()
    folder.pruned.write_bytes(data)
    assert Pruned(folder).read() == {}
    Pruned(folder).note({stream("a"): 1})
    assert Pruned(folder).read() == {stream("a"): 1}


def test_pruning_goes_on_where_that_cannot_be_written(tmp_path: Path) -> None:
    writer = write(tmp_path, "a", "b", "c")
    Folder(tmp_path).pruned.mkdir()
    writer.prune(LATER)
    assert {epoch.epoch for epoch in JournalReader(tmp_path).epochs()} == {"c"}
    writer.close()
