"""What is written is read, whatever the cutting."""

from __future__ import annotations

import mmap
import shutil
import tempfile
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from linescan.config import Pitch
from linescan.recording import BlockEntry, Header, Provenance, Recording, RecordingWriter
from linescan.records import BlockFlag, Cause, LineBlock, Loss
from tests.recording.scans import WIDTH, Lines, block, expected_lines, lines_of, write


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


def test_pixels_are_mapped_and_read_only(small: tuple[Path, Lines]) -> None:
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


def test_the_reader_in_the_reference_works(small: tuple[Path, Lines]) -> None:
    """The numpy reader of docs/reference/recording.md gives the same lines."""
    page = Path(__file__).parents[2] / "docs" / "reference" / "recording.md"
    program = page.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    names: dict[str, object] = {}
    exec(program, names)
    lines, numbers = names["read_recording"](small[0])  # type: ignore[operator]
    assert {int(n): row.tobytes() for n, row in zip(numbers, lines, strict=True)} == small[1]


def test_entries_do_not_touch_the_pixels(small: tuple[Path, Lines], tmp_path: Path) -> None:
    shutil.copytree(small[0], tmp_path / "scan")
    shutil.rmtree(tmp_path / "scan" / "blocks")
    entries = list(Recording.open(tmp_path / "scan").entries())
    assert [(e.first_line, e.count) for e in entries] == [(7, 10), (17, 5), (22, 10), (40, 3)]
    assert isinstance(entries[0], BlockEntry)
