"""What goes in comes out, byte for byte, in order, in every epoch and stream."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linescan.errors import JournalError
from linescan.journal import Entry, JournalReader, JournalWriter, Key, Range, Stream
from linescan.protocol import Kind
from tests.journal.entries import EPOCH, check, message, put, read_all, same, section

NAMES = st.text(min_size=1, max_size=20).filter(lambda text: len(text.encode()) <= 255)
KINDS = st.sampled_from([Kind.INSPECTION, Kind.EVENT])
FRAMES = st.lists(st.binary(max_size=3000), max_size=6).map(tuple)
STREAMS = st.tuples(NAMES.filter(lambda t: t.isprintable()), NAMES, KINDS)


@st.composite
def histories(draw: st.DrawFn) -> list[Entry]:
    streams = draw(st.lists(STREAMS, min_size=1, max_size=4, unique=True))
    following = dict.fromkeys(streams, 0)
    entries = []
    for _ in range(draw(st.integers(0, 30))):
        stream = draw(st.sampled_from(streams))
        seq = following[stream] + draw(st.sampled_from([0, 0, 0, 1, 5]))
        following[stream] = seq + 1
        at = draw(st.integers(0, 2**63 - 1))
        entries.append(Entry(Key(*stream, seq), at, draw(FRAMES)))
    return entries


@settings(max_examples=25, deadline=None)
@given(history=histories(), reopen=st.integers(0, 30), forget_index=st.booleans())
def test_what_goes_in_comes_out(history: list[Entry], reopen: int, forget_index: bool) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in (history[:reopen], history[reopen:]):
            writer = JournalWriter(folder, section())
            writer.open()
            put(writer, part)
            writer.close()
            if forget_index:
                (folder / "index.sqlite").unlink()
        reader = JournalReader(folder)
        for stream in {entry.key.stream for entry in history}:
            expected = [entry for entry in history if entry.key.stream == stream]
            found = list(reader.read(*stream, 0, 2**62))
            assert len(found) == len(expected)
            assert all(map(same, found, expected))
            ranges = {e.epoch: e.streams for e in reader.epochs()}
            assert ranges[stream.epoch][stream.camera, stream.kind] == Range(
                expected[0].key.seq, expected[-1].key.seq
            )


def test_epochs_come_in_the_order_in_which_they_began(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, section())
    for number, name in enumerate("bca"):
        writer.open()
        put(writer, [message(seq, epoch=name, at_ns=number * 10 + seq) for seq in range(3)])
        put(writer, [message(0, epoch=name, kind=Kind.EVENT, at_ns=number * 10)])
        writer.close()
    epochs = JournalReader(tmp_path).epochs()
    assert [(e.epoch, e.started_ns) for e in epochs] == [("b", 0), ("c", 10), ("a", 20)]
    assert epochs[0].streams == {
        ("web-1", Kind.INSPECTION): Range(0, 2),
        ("web-1", Kind.EVENT): Range(0, 0),
    }


def test_a_part_of_a_stream(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, section())
    writer.open()
    put(writer, [message(seq, size=300_000) for seq in range(12)])
    writer.sync()
    reader = JournalReader(tmp_path)
    stream = (EPOCH, "web-1", Kind.INSPECTION)
    assert [e.key.seq for e in reader.read(*stream, 4, 7)] == [4, 5, 6, 7]
    assert list(reader.read(*stream, 12, 20)) == []
    assert list(reader.read(EPOCH, "web-2", Kind.INSPECTION, 0, 20)) == []
    writer.close()


def test_durable_follows_sync(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, section())
    writer.open()
    stream = Stream(EPOCH, "web-1", Kind.INSPECTION)
    put(writer, [message(0), message(1)])
    assert writer.durable == {}
    assert writer.sync() == {stream: 1} == writer.durable
    put(writer, [message(2)])
    assert writer.durable == {stream: 1}
    writer.close()
    writer.open()
    assert writer.durable == {stream: 2}
    writer.close()


def test_what_was_appended_can_be_read_before_it_is_synced(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, section())
    writer.open()
    put(writer, [message(0)])
    writer.sync()
    put(writer, [message(1)])
    check(tmp_path, [message(0), message(1)])
    writer.close()


def test_a_number_comes_once(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, section())
    writer.open()
    put(writer, [message(3)])
    with pytest.raises(JournalError, match=r"inspection 3 of epoch .* comes after 3"):
        put(writer, [message(3, size=5)])
    writer.close()
    writer.open()
    with pytest.raises(JournalError, match="comes after 3"):
        put(writer, [message(2)])
    writer.close()
    check(tmp_path, [message(3)])


def test_a_message_larger_than_a_segment(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, section())
    writer.open()
    entries = [message(0), message(1, size=3_000_000), message(2)]
    put(writer, entries)
    writer.close()
    check(tmp_path, entries)


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, section())
    writer.open()
    with pytest.raises(JournalError, match=r"another pipeline \(process \d+\) writes this journal"):
        JournalWriter(tmp_path, section()).open()
    writer.close()
    second = JournalWriter(tmp_path, section())
    second.open()
    second.close()


def test_a_folder_without_a_journal(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no journal can be read there"):
        JournalReader(tmp_path / "nothing")
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="cannot be written"):
        JournalWriter(tmp_path / "file", section()).open()


def test_reading_holds_one_message(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, section(segment_mb=16))
    writer.open()
    put(writer, [message(seq, size=4 << 20) for seq in range(12)])
    writer.close()
    reader = JournalReader(tmp_path)
    tracemalloc.start()
    count = sum(1 for _ in reader.read(EPOCH, "web-1", Kind.INSPECTION, 0, 99))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 12
    assert peak < 10 << 20


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    from linescan.journal import layout

    writer = JournalWriter(tmp_path, section())
    writer.open()
    put(writer, [message(0)])
    writer.close()
    head = layout._FILE.pack(layout.FILE_MAGIC, 2, 1, 0)
    path = tmp_path / "segments" / "0000000001.segment"
    data = path.read_bytes()
    crc = layout._CRC.pack(layout.checksum(head))
    path.write_bytes(head + crc + data[layout.FILE_HEADER_BYTES :])
    (tmp_path / "index.sqlite").unlink()
    with pytest.raises(JournalError, match="journal format 2"):
        writer.open()
    with pytest.raises(JournalError, match="journal format 2"):
        read_all(tmp_path)


def test_reading_needs_no_more_than_the_client() -> None:
    """Listing and verifying work where pydantic, OpenCV and the extras are not installed."""
    program = (
        "import sys, linescan.journal, linescan.cli.journal_listing;"
        "print(*{'pydantic', 'yaml', 'cv2', 'pyarrow', 'mcap'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (run.returncode, run.stdout.strip()) == (0, ""), run.stderr
