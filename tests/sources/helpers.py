"""What the tests of sources share: one loop that checks what every source promises."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from linescan.intervals import IntervalSet
from linescan.records import Interval, LineBlock, Loss
from linescan.sources import Source


class Played:
    """What a source gave, and whether it kept its promises on the way."""

    def __init__(self, source: Source, *, stop_after: int | None = None) -> None:
        self.captured = IntervalSet()
        self.given = IntervalSet()
        self.items: list[LineBlock | Loss] = []
        self.error: Exception | None = None
        self._fresh = 0
        source.open(self._capture)
        self.info = source.description
        try:
            for item in source.items():
                self._take(item)
                if stop_after is not None and len(self.items) >= stop_after:
                    source.stop()
        except Exception as error:  # noqa: BLE001 - looked at by the test
            self.error = error
        finally:
            source.close()
        assert list(self.captured) == list(self.given)

    @property
    def pixels(self) -> np.ndarray[Any, Any]:
        """All valid rows, one below the other."""
        return np.concatenate([b.pixels[: b.valid_rows] for b in self.blocks])

    @property
    def blocks(self) -> list[LineBlock]:
        return [item for item in self.items if isinstance(item, LineBlock)]

    @property
    def losses(self) -> list[Loss]:
        return [item for item in self.items if isinstance(item, Loss)]

    def _capture(self, lines: Iterable[Interval]) -> None:
        for interval in lines:
            self._fresh += 1
            self.captured.add(interval)

    def _take(self, item: LineBlock | Loss) -> None:
        assert self._fresh <= 1, "captured runs ahead by more than one block"
        self._fresh = 0
        (lines,) = item.lines()
        assert not self.items or lines.first >= self.items[-1].lines()[0].end
        self.given.add(lines)
        assert self.captured.intersection(IntervalSet([lines])).count() == lines.count
        if isinstance(item, LineBlock):
            assert item.pixels.dtype == self.info.dtype
            assert item.pixels.shape[1] == self.info.width
            assert item.pixels.flags.c_contiguous
            assert int(item.pixels.max()) < 1 << self.info.bits
        self.items.append(item)


def smooth(rows: int, columns: int, *, bits: int = 8, seed: int = 0) -> np.ndarray[Any, Any]:
    """A gray picture that does not look like anything a decoder makes up."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (rows // 8 + 2, columns // 8 + 2), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((columns, rows), Image.Resampling.BICUBIC)
    gray = np.asarray(image)
    if bits == 8:
        return gray
    noise = rng.integers(0, 1 << (bits - 8), gray.shape)
    return ((gray.astype(np.uint16) << (bits - 8)) + noise).astype(np.uint16)


def encode(pixels: np.ndarray[Any, Any], kind: str, **options: Any) -> bytes:
    """A picture as the bytes of a file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def save(path: Path, pixels: np.ndarray[Any, Any], **options: Any) -> Path:
    """Save a picture in the format of its suffix."""
    Image.fromarray(pixels).save(path, **options)
    return path
