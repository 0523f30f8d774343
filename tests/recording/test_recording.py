"""Recordings: what is written is read, whatever the cutting, and damage is named."""

from __future__ import annotations

import logging
import mmap
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from linescan.config import Pitch
from linescan.errors import SourceError
from linescan.recording import (
    BadBlockError,
    BlockEntry,
    Header,
    HeightEncoding,
    Provenance,
    Recording,
    RecordingWriter,
)
from linescan.recording import (
    writer as writer_module,
)
from linescan.records import BlockFlag, Cause, LineBlock, Loss

WIDTH = 24


def header() -> Header:
    return Header(width=WIDTH, dtype="uint8", bits=8)


def block(first_line: int, rows: int, *, valid: int | None = None, **more: Any) -> LineBlock:
    rng = np.random.default_rng(abs(first_line))
    pixels = rng.integers(0, 256, (rows, WIDTH), dtype=np.uint8)
    return LineBlock(
        pixels, first_line, rows if valid is None else valid, 1000 + first_line, **more
    )


def write(path: Path, items: list[LineBlock | Loss], **more: Any) -> Recording:
    with RecordingWriter(path, header(), **more) as writer:
        for item in items:
            writer.append(item)
    return Recording.open(path)


def lines_of(recording: Recording) -> dict[int, bytes]:
    """Each line's pixels by its number."""
    found: dict[int, bytes] = {}
    for item in recording.blocks():
        if isinstance(item, LineBlock):
            for row in range(item.valid_rows):
                assert item.first_line + row not in found
                found[item.first_line + row] = item.pixels[row].tobytes()
    return found


def expected_lines(items: list[LineBlock | Loss]) -> dict[int, bytes]:
    return {
        item.first_line + row: item.pixels[row].tobytes()
        for item in items
        if isinstance(item, LineBlock)
        for row in range(item.valid_rows)
    }


@st.composite
def scans(draw: st.DrawFn) -> list[LineBlock | Loss]:
    """Blocks of any height, some partial, some without encoder, with losses and gaps between."""
    items: list[LineBlock | Loss] = []
    line = draw(st.integers(-50, 2**40))
    for _ in range(draw(st.integers(0, 12))):
        kind = draw(st.sampled_from(["block", "block", "block", "loss", "gap"]))
        count = draw(st.integers(1, 40))
        if kind == "block":
            rows = count + draw(st.integers(0, 5))
            encoder = np.arange(line, line + rows, dtype=np.int64) * 4
            items.append(
                block(
                    line,
                    rows,
                    valid=count,
                    device_time_ns=draw(st.none() | st.integers(0, 2**62)),
                    encoder=draw(st.sampled_from([None, encoder])),
                    flags=draw(
                        st.sampled_from([BlockFlag.NONE, BlockFlag.OVER_TRIGGER, ~BlockFlag.NONE])
                    ),
                )
            )
        elif kind == "loss":
            items.append(Loss(line, count, draw(st.sampled_from(list(Cause))), draw(st.booleans())))
        line += count
    return items


@settings(max_examples=60, deadline=None)
@given(items=scans(), file_bytes=st.integers(1, 3000))
def test_any_cutting_reads_back_the_same(items: list[LineBlock | Loss], file_bytes: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with patch("os.fsync"):  # a hundred recordings need not survive a power failure
            recording = write(Path(folder) / "scan", items, file_bytes=file_bytes)
        assert lines_of(recording) == expected_lines(items)
        read = list(recording.blocks())
        assert [i for i in read if isinstance(i, Loss)] == [i for i in items if isinstance(i, Loss)]
        lines = [item.first_line for item in read]
        assert lines == sorted(lines)
        for item in read:
            if isinstance(item, LineBlock):
                (source,) = (
                    i
                    for i in items
                    if isinstance(i, LineBlock)
                    and i.first_line <= item.first_line < i.first_line + i.valid_rows
                )
                assert item.device_time_ns == source.device_time_ns
                assert item.host_time_ns == source.host_time_ns
                assert item.flags == source.flags
                assert (item.encoder is None) == (source.encoder is None)
                if item.encoder is not None and source.encoder is not None:
                    start = item.first_line - source.first_line
                    expected = source.encoder[start : start + item.valid_rows]
                    np.testing.assert_array_equal(item.encoder, expected)
        assert recording.header.complete
        assert recording.header.lines == len(expected_lines(items))
        assert recording.header.lost == sum(i.count for i in items if isinstance(i, Loss))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[int, bytes]]:
    """A recording of several files with encoder ticks and a loss, and its lines."""
    path = tmp_path_factory.mktemp("recording") / "scan"
    items: list[LineBlock | Loss] = [
        block(7, 10, encoder=np.arange(10, dtype=np.int64)),
        Loss(17, 5, Cause.CAMERA_GAP, estimated=True),
        block(22, 10, encoder=np.arange(10, dtype=np.int64)),
        block(40, 3, encoder=np.arange(3, dtype=np.int64)),
    ]
    write(path, items, file_bytes=12 * WIDTH)
    return path, expected_lines(items)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_truncation_never_gives_wrong_pixels(
    small: tuple[Path, dict[int, bytes]], data: st.DataObject
) -> None:
    path, lines = small
    files = sorted(p.relative_to(path) for p in path.rglob("*") if p.is_file())
    name = data.draw(st.sampled_from(files))
    size = (path / name).stat().st_size
    cut = data.draw(st.integers(0, size - 1))
    with tempfile.TemporaryDirectory() as folder:
        broken = Path(folder) / "scan"
        shutil.copytree(path, broken)
        os.truncate(broken / name, cut)
        try:
            said, found = "", lines_of(Recording.open(broken))
        except SourceError as error:
            said, found = str(error), {}
        if said:
            assert str(broken) in said
            assert "\n" not in said
        else:
            # YAML cut behind its last needed key is still the whole description.
            assert name == Path("recording.yaml")
            assert found == lines


@pytest.mark.parametrize("name", ["000000.npy", "000001.encoder.npy"])
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda p: p.unlink(), "the file is missing"),
        (lambda p: p.write_bytes(b""), "the file is empty"),
        (lambda p: p.write_bytes(b"hello"), "no readable NumPy header"),
        (lambda p: os.truncate(p, p.stat().st_size - 1), "truncated: expected"),
        (lambda p: p.write_bytes(p.read_bytes() + b"x"), "too long: expected"),
        (lambda p: np.save(p, np.zeros((10, 3), np.uint8)), "expected shape (rows"),
        (lambda p: np.save(p, np.zeros(np.load(p).shape, np.float32)), "values, found float32"),
        (lambda p: np.save(p, np.load(p)[:2]), "rows, found 2"),
    ],
)
def test_a_broken_block_is_named(
    small: tuple[Path, dict[int, bytes]],
    tmp_path: Path,
    name: str,
    damage: Callable[[Path], Any],
    said: str,
) -> None:
    shutil.copytree(small[0], tmp_path / "scan")
    damaged = tmp_path / "scan" / "blocks" / name
    damage(damaged)
    recording = Recording.open(tmp_path / "scan")
    reads: tuple[Callable[[], object], ...] = (
        recording.check_files,
        lambda: list(recording.blocks()),
    )
    for read in reads:
        with pytest.raises(BadBlockError) as caught:
            read()
        text = str(caught.value)
        assert name in text
        assert said in text
        assert "from line" in text
        assert "\n" not in text


def test_fortran_order_is_named(small: tuple[Path, dict[int, bytes]], tmp_path: Path) -> None:
    shutil.copytree(small[0], tmp_path / "scan")
    damaged = tmp_path / "scan" / "blocks" / "000000.npy"
    np.save(damaged, np.asfortranarray(np.load(damaged)))
    with pytest.raises(BadBlockError, match=r"000000\.npy: .* expected rows in C order"):
        Recording.open(tmp_path / "scan").check_files()


def test_a_crash_leaves_whole_blocks(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    program = """
import os, signal, sys
from pathlib import Path
import numpy as np
from linescan.recording import Header, RecordingWriter
from linescan.records import LineBlock
writer = RecordingWriter(Path(sys.argv[1]), Header(width=24, dtype="uint8", bits=8), file_bytes=480)
for first in range(0, 95, 5):
    pixels = np.random.default_rng(first).integers(0, 256, (5, 24), dtype=np.uint8)
    writer.append(LineBlock(pixels, first, 5, 1000 + first))
os.kill(os.getpid(), signal.SIGKILL)
"""
    path = tmp_path / "scan"
    done = subprocess.run([sys.executable, "-c", program, str(path)], check=False, timeout=30)
    assert done.returncode == -signal.SIGKILL
    (path / "blocks" / "000004.npy.part").write_bytes(b"half")
    with (path / "blocks.csv").open("a") as index:
        index.write("block,80,5,0000")  # a row that the crash cut
    with caplog.at_level(logging.WARNING):
        recording = Recording.open(path)
    assert "cut short" in caplog.text
    assert not recording.header.complete
    assert recording.header.lines == 80  # four files of 20 lines; the 15 in memory are gone
    assert lines_of(recording) == expected_lines([block(n, 5) for n in range(0, 80, 5)])


def test_a_full_disk_is_one_sentence_and_what_was_written_stays(tmp_path: Path) -> None:
    path = tmp_path / "scan"
    with RecordingWriter(path, header(), file_bytes=10 * WIDTH) as writer:
        writer.append(block(0, 10))
        (path / "blocks" / "000001.npy.part").symlink_to("/dev/full")
        with pytest.raises(SourceError) as caught:
            writer.append(block(10, 10))
    text = str(caught.value)
    assert str(path) in text
    assert "the disk is full" in text
    assert "MB are free" in text
    assert "\n" not in text
    with pytest.raises(SourceError, match="earlier error"):
        writer.append(block(20, 10))
    assert lines_of(Recording.open(path)) == expected_lines([block(0, 10)])


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(SourceError, match="file is in the way"):
        RecordingWriter(tmp_path / "file", header())
    with pytest.raises(SourceError, match="cannot write the recording"):
        RecordingWriter(tmp_path / "file" / "below", header())


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    path = tmp_path / "scan"
    write(path, [block(0, 10)])
    with pytest.raises(SourceError, match="there is a recording already"):
        RecordingWriter(path, header())
    assert len(lines_of(Recording.open(path))) == 10
    (path / "notes.txt").write_text("mine")
    recording = write(path, [block(5, 3)], overwrite=True)
    assert lines_of(recording) == expected_lines([block(5, 3)])
    assert (path / "notes.txt").read_text() == "mine"
    other = tmp_path / "photos"
    other.mkdir()
    (other / "cat.jpg").write_bytes(b"cat")
    with pytest.raises(SourceError, match="the folder holds other files"):
        RecordingWriter(other, header(), overwrite=True)
    assert [p.name for p in other.iterdir()] == ["cat.jpg"]


def test_wrong_blocks_are_refused(tmp_path: Path) -> None:
    with RecordingWriter(tmp_path / "scan", header()) as writer:
        writer.append(block(0, 10))
        with pytest.raises(SourceError, match="24 pixels of uint16"):
            writer.append(LineBlock(np.zeros((2, WIDTH), np.uint16), 10, 2, 0))
        with pytest.raises(SourceError, match="expected 10 or later"):
            writer.append(block(9, 2))
        writer.append(block(10, 2))
    assert Recording.open(tmp_path / "scan").header.lines == 12


def test_memory_and_files_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with RecordingWriter(tmp_path / "scan", header(), file_bytes=100 * WIDTH) as writer:
        for first in range(0, 1000, 2):
            writer.append(block(first, 2))
            assert sum(e.count for e in writer._pending) < 100
        writer.append(LineBlock(np.zeros((1000, WIDTH), np.uint8), 1000, 1000, 0))
        monkeypatch.setattr(writer_module, "MAX_PENDING", 8)
        for n in range(100):
            writer.append(Loss(2000 + n, 1, Cause.CAMERA_GAP))
            assert len(writer._pending) < 8
    assert len(list((tmp_path / "scan" / "blocks").iterdir())) == 20
    assert Recording.open(tmp_path / "scan").header.lines == 2000
    assert Recording.open(tmp_path / "scan").header.lost == 100


def test_slow_lines_reach_the_disk_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "FILE_SECONDS", 0.0)
    with RecordingWriter(tmp_path / "scan", header()) as writer:
        writer.append(block(0, 1))
        writer.append(block(1, 1))
        assert Recording.open(tmp_path / "scan").header.lines >= 1


def test_the_block_may_be_reused_once_appended(tmp_path: Path) -> None:
    pixels = np.zeros((4, WIDTH), np.uint8)
    with RecordingWriter(tmp_path / "scan", header()) as writer:
        for n in range(3):
            pixels[:] = n
            writer.append(LineBlock(pixels, 4 * n, 4, 0))
    found = lines_of(Recording.open(tmp_path / "scan"))
    assert {line: row[0] for line, row in found.items()} == {n: n // 4 for n in range(12)}


def test_pixels_are_mapped_and_read_only(small: tuple[Path, dict[int, bytes]]) -> None:
    item = next(iter(Recording.open(small[0]).blocks()))
    assert isinstance(item, LineBlock)
    assert type(item.pixels) is np.ndarray
    base: object = item.pixels
    while isinstance(base, np.ndarray):
        base = base.base
    assert isinstance(base, mmap.mmap)
    assert item.pixels.flags.c_contiguous
    with pytest.raises(ValueError, match="read-only"):
        item.pixels[0, 0] = 1


def _edit(key: str, value: object) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        data = yaml.safe_load((path / "recording.yaml").read_text())
        data[key] = value
        (path / "recording.yaml").write_text(yaml.safe_dump(data))

    return edit


def _rows(old: str, new: str) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        text = (path / "blocks.csv").read_text()
        assert old in text
        (path / "blocks.csv").write_text(text.replace(old, new))

    return edit


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (shutil.rmtree, "no such recording"),
        (lambda p: (p / "recording.yaml").unlink(), "it has no recording.yaml"),
        (lambda p: (p / "recording.yaml").write_text("a: [1"), "not valid YAML"),
        (lambda p: (p / "recording.yaml").write_text("hello"), "expected keys"),
        (lambda p: (p / "recording.yaml").write_bytes(b"\xff\xfe\x00"), "cannot be read"),
        (_edit("width", "wide"), "recording.yaml: 'width': "),
        (_edit("bits", 12), "uint8 pixels hold 8 bits, got 12"),
        (_edit("colour", 3), "unknown key 'colour'"),
        (_edit("version", 2), "format version 2, this software reads up to 1"),
        (_edit("lines", 99), "lists 23 lines and 5 lost from line 7, recording.yaml says 99"),
        (lambda p: (p / "blocks.csv").unlink(), "list of blocks is missing"),
        (lambda p: (p / "blocks.csv").write_text("a,b\n"), "blocks.csv:1: expected the columns"),
        (_rows("block,22", "block,16"), "blocks.csv:4: line 16 comes again; expected 22 or later"),
        (_rows("block,22", "block,x"), "blocks.csv:4: wrong row"),
        (_rows("block,22", "blob,22"), "'kind' must be block or loss, got 'blob'"),
        (_rows("000000.npy", "../a.npy"), "must be a name in the folder of blocks"),
        (_rows("camera_gap", "laziness"), "blocks.csv:3: wrong row: 'laziness'"),
        (_rows("\nloss,17,5", "\nloss,17,0"), "'count' must be at least 1, got 0"),
    ],
)
def test_a_wrong_description_is_one_clear_error(
    small: tuple[Path, dict[int, bytes]], tmp_path: Path, damage: Callable[[Path], Any], said: str
) -> None:
    path = tmp_path / "scan"
    shutil.copytree(small[0], path)
    damage(path)
    with pytest.raises(SourceError) as caught:
        Recording.open(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_header_says_what_was_given(tmp_path: Path) -> None:
    given = Header(
        camera="line-3",
        width=WIDTH,
        dtype="uint16",
        bits=12,
        line_rate_hz=20000.0,
        pitch=Pitch(across_mm=0.1, along_mm=0.2),
        provenance=Provenance(source="simulated mixed", seed=7),
    )
    with RecordingWriter(tmp_path / "scan", given) as writer:
        writer.append(LineBlock(np.full((2, WIDTH), 4095, np.uint16), 5, 2, 0))
    read = Recording.open(tmp_path / "scan" / "recording.yaml").header
    wanted = given.model_copy(update={"complete": True, "first_line": 5, "lines": 2})
    assert read == wanted
    data = yaml.safe_load((tmp_path / "scan" / "recording.yaml").read_text())
    assert data["provenance"]["created"].endswith("Z")
    assert data["provenance"]["software"].startswith("linescan ")


def test_the_reader_in_the_reference_works(small: tuple[Path, dict[int, bytes]]) -> None:
    """The numpy reader of docs/reference/recording.md gives the same lines."""
    page = Path(__file__).parents[2] / "docs" / "reference" / "recording.md"
    program = page.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    names: dict[str, object] = {}
    exec(program, names)
    lines, numbers = names["read_recording"](small[0])  # type: ignore[operator]
    assert {int(n): row.tobytes() for n, row in zip(numbers, lines, strict=True)} == small[1]


def test_entries_do_not_touch_the_pixels(
    small: tuple[Path, dict[int, bytes]], tmp_path: Path
) -> None:
    shutil.copytree(small[0], tmp_path / "scan")
    shutil.rmtree(tmp_path / "scan" / "blocks")
    entries = list(Recording.open(tmp_path / "scan").entries())
    assert [(e.first_line, e.count) for e in entries] == [(7, 10), (17, 5), (22, 10), (40, 3)]
    assert isinstance(entries[0], BlockEntry)


def test_no_truth_without_asking(tmp_path: Path) -> None:
    with RecordingWriter(tmp_path / "scan", header()) as writer:
        with pytest.raises(ValueError, match="without truth"):
            writer.append_truth(0, np.zeros((1, WIDTH), np.float32))
        with pytest.raises(ValueError, match="without truth"):
            writer.append_objects([])
    assert Recording.open(tmp_path / "scan").truth is None
    with RecordingWriter(tmp_path / "other", header(), truth=HeightEncoding()):
        pass
    assert Recording.open(tmp_path / "other").truth is None
