"""Short scans of random pixels: written to disk, and their lines as they must come back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from linescan.recording import Header, Recording, RecordingWriter
from linescan.records import LineBlock, Loss

WIDTH = 24

Lines = dict[int, bytes]
"""Each line's pixels by its number."""


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


def lines_of(recording: Recording) -> Lines:
    """Each line's pixels by its number."""
    found: Lines = {}
    for item in recording.blocks():
        if isinstance(item, LineBlock):
            for row in range(item.valid_rows):
                assert item.first_line + row not in found
                found[item.first_line + row] = item.pixels[row].tobytes()
    return found


def expected_lines(items: list[LineBlock | Loss]) -> Lines:
    return {
        item.first_line + row: item.pixels[row].tobytes()
        for item in items
        if isinstance(item, LineBlock)
        for row in range(item.valid_rows)
    }
