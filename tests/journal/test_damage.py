"""A journal cut at any byte, with any bit flipped: what is whole is found, the rest is not."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linescan.journal import Entry, JournalReader, JournalWriter, scan
from linescan.journal.folder import Folder, opened
from linescan.journal.layout import FILE_HEADER_BYTES, Record
from linescan.journal.scan import walk
from linescan.protocol import Kind
from tests.journal.entries import check, message, put, read_all, same, section, segments

ENTRIES = [message(seq, size=60, kind=Kind.INSPECTION) for seq in range(4)]


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A journal of four short messages in one segment; in memory, where a sync costs nothing."""
    path = Path("/dev/shm") / f"linescan-{os.getpid()}-{tmp_path.name}"
    write(path, ENTRIES)
    yield path
    shutil.rmtree(path)


def write(folder: Path, entries: list[Entry]) -> None:
    writer = JournalWriter(folder, section())
    writer.open()
    put(writer, entries)
    writer.close()


def records(folder: Path) -> list[Record]:
    path = Folder(folder).segment(1)
    with opened(path) as handle:
        found = list(walk(handle, 1, FILE_HEADER_BYTES, path.stat().st_size))
    assert all(isinstance(record, Record) for record in found)
    return [record for record in found if isinstance(record, Record)]


def test_what_is_written_while_it_is_read_is_not_damaged(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file ends with zeros up to a whole block, and a writer fills them in order."""
    segment, expected = Folder(folder).segment(1), records(folder)
    data = segment.read_bytes()
    begin = expected[1].offset
    segment.write_bytes(data[:begin] + bytes(len(data) - begin))
    search = scan._search

    def written_meanwhile(*args: int) -> int:
        segment.write_bytes(data)
        return search(*args)

    monkeypatch.setattr(scan, "_search", written_meanwhile)
    assert records(folder) == expected


@pytest.mark.parametrize("with_index", [False, True])
def test_cut_at_every_byte(folder: Path, with_index: bool) -> None:
    segment = Folder(folder).segment(1)
    data, ends = segment.read_bytes(), [record.end for record in records(folder)]
    index = (folder / "index.sqlite").read_bytes()
    write(folder, [message(4)])  # makes an index that is ahead of what follows
    ahead = (folder / "index.sqlite").read_bytes()
    for size in range(ends[1], len(data) + 1):
        segment.write_bytes(data[:size])
        (folder / "index.sqlite").unlink(missing_ok=True)
        if with_index:
            (folder / "index.sqlite").write_bytes(index if size % 2 else ahead)
        whole = [entry for entry, end in zip(ENTRIES, ends, strict=True) if end <= size]
        check(folder, whole)
        assert segment.read_bytes() == data[:size]
        writer = JournalWriter(folder, section())
        writer.open()
        assert segment.stat().st_size == ends[len(whole) - 1]
        put(writer, [message(9)])
        writer.close()
        check(folder, [*whole, message(9)])


def test_cut_within_the_first_bytes(folder: Path) -> None:
    segment = Folder(folder).segment(1)
    data, first = segment.read_bytes(), records(folder)[0].end
    for size in range(first):
        segment.write_bytes(data[:size])
        check(folder, [])
        writer = JournalWriter(folder, section())
        writer.open()
        put(writer, [message(9)])
        writer.close()
        check(folder, [message(9)])
        for path in Folder(folder).segments.iterdir():
            path.unlink()


@pytest.mark.parametrize("with_index", [False, True])
def test_a_flipped_bit_costs_one_message_at_most(folder: Path, with_index: bool) -> None:
    segment = Folder(folder).segment(1)
    data, spans = segment.read_bytes(), [(r.offset, r.end) for r in records(folder)]
    if not with_index:
        (folder / "index.sqlite").unlink()
    for at in range(FILE_HEADER_BYTES, len(data)):
        flipped = bytearray(data)
        flipped[at] ^= 1 << at % 8
        segment.write_bytes(flipped)
        intact = [e for e, (a, b) in zip(ENTRIES, spans, strict=True) if not a <= at < b]
        check(folder, intact)


def test_a_flipped_bit_in_the_file_header_costs_nothing(folder: Path) -> None:
    segment = Folder(folder).segment(1)
    data = segment.read_bytes()
    for at in range(FILE_HEADER_BYTES):
        flipped = bytearray(data)
        flipped[at] ^= 1 << at % 8
        segment.write_bytes(flipped)
        check(folder, ENTRIES)
        write(folder, [])
        check(folder, ENTRIES)


@pytest.mark.parametrize("tail", [bytes(5000), b"\xff" * 70, b"\x89LSRECD\n" * 40])
def test_a_tail_that_was_never_written(folder: Path, tail: bytes) -> None:
    segment = Folder(folder).segment(1)
    data = segment.read_bytes()
    segment.write_bytes(data + tail)
    check(folder, ENTRIES)
    write(folder, [message(9)])
    check(folder, [*ENTRIES, message(9)])
    assert segment.read_bytes().startswith(data + b"\x89LSRECD\n")


def test_damage_in_the_middle_is_not_taken_for_the_tail(folder: Path) -> None:
    segment = Folder(folder).segment(1)
    data, second = bytearray(segment.read_bytes()), records(folder)[1]
    data[second.offset : second.end] = bytes(second.end - second.offset)
    segment.write_bytes(data)
    (folder / "index.sqlite").unlink()
    write(folder, [message(9)])
    check(folder, [ENTRIES[0], *ENTRIES[2:], message(9)])
    assert JournalReader(folder).epochs()[0].streams["web-1", Kind.INSPECTION] == (0, 9)


def test_a_message_that_holds_a_journal_is_not_taken_for_one(folder: Path, tmp_path: Path) -> None:
    inner = Folder(folder).segment(1).read_bytes()
    outer = tmp_path / "outer"
    key = message(0).key
    write(outer, [Entry(key, 1, (inner,)), message(1)])
    path = Folder(outer).segment(1)
    data = bytearray(path.read_bytes())
    data[FILE_HEADER_BYTES] ^= 1  # now the search for the next record runs through the message
    path.write_bytes(data)
    (outer / "index.sqlite").unlink()
    check(outer, [message(1)])


def test_damaged_messages_are_counted(folder: Path) -> None:
    segment = Folder(folder).segment(1)
    data, third = bytearray(segment.read_bytes()), records(folder)[2]
    data[third.body_offset] ^= 1
    segment.write_bytes(data)
    reader = JournalReader(folder)
    stream = ENTRIES[0].key.stream
    found = list(reader.read(*stream, 0, 9))
    assert [entry.key.seq for entry in found] == [0, 1, 3]
    assert reader.damaged == 1
    assert all(same(a, b) for a, b in zip(found, read_all(folder), strict=True))


@settings(max_examples=60, deadline=None)
@given(
    synced=st.integers(0, 12),
    kept=st.lists(st.booleans(), min_size=60, max_size=60),
    length=st.floats(0, 1),
    with_index=st.booleans(),
)
def test_a_loss_of_power(synced: int, kept: list[bool], length: float, with_index: bool) -> None:
    """What was synced is there; of the rest, any pages may be zeros and the end may be missing."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        folder = Path(name)
        entries = [message(seq, size=300 + 2500 * (seq % 5)) for seq in range(12)]
        writer = JournalWriter(folder, section())
        writer.open()
        put(writer, entries[:synced])
        writer.sync()
        durable = segments(writer)[0].size if synced else 0
        index = (folder / "index.sqlite").read_bytes()
        put(writer, entries[synced:])
        writer.close()
        segment = Folder(folder).segment(1)
        data = bytearray(segment.read_bytes())
        for page, stays in enumerate(kept):
            first, end = max(durable, page * 1024), (page + 1) * 1024
            if not stays and first < min(end, len(data)):
                data[first : min(end, len(data))] = bytes(min(end, len(data)) - first)
        del data[durable + round(length * (len(data) - durable)) :]
        segment.write_bytes(data)
        for path in folder.glob("index*"):
            path.unlink()
        if with_index:
            (folder / "index.sqlite").write_bytes(index)
        found = read_all(folder)
        writer = JournalWriter(folder, section())
        writer.open()
        put(writer, [message(12)])
        writer.close()
        assert [e.key.seq for e in read_all(folder)] == [*(e.key.seq for e in found), 12]
        assert [e.key.seq for e in found[:synced]] == list(range(synced))
        assert all(same(entry, entries[entry.key.seq]) for entry in found)
