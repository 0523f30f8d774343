"""The memory in which messages wait for the disk: bounded, used again, given back."""

from __future__ import annotations

import errno
import os
import shutil
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linescan.journal import JournalWriter, spool
from linescan.journal.folder import Folder
from linescan.journal.segment import prepare
from linescan.journal.spool import PAGE, Place, Spool
from tests.journal.entries import message, section, seqs
from tests.journal.left_behind import reopened, spooled, waiting

pytestmark = pytest.mark.usefixtures("nothing_stays")


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
