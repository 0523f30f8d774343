"""TIFF and BigTIFF: directories of tags that say where each strip or tile of pixels lies."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from linescan.sources.images.problem import Data, ImageHeader, ImageProblem, truncated

_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION = 254, 256, 257, 258, 259
_STRIP_OFFSETS, _SAMPLES, _ROWS_PER_STRIP, _STRIP_SIZES = 273, 277, 278, 279
_MAX_VALUE, _PLANAR = 281, 284
_TILE_WIDTH, _TILE_LENGTH, _TILE_OFFSETS, _TILE_SIZES, _SAMPLE_FORMAT = 322, 323, 324, 325, 339
_TYPES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
"""Whole-number types, as struct's letters; the others are not needed here."""
_MAX_PAGES = 16
_UNSIGNED = 1

Tags = dict[int, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class _Layout:
    """Byte order and field sizes: TIFF, or BigTIFF with 64-bit offsets."""

    order: str
    big: bool

    @property
    def word(self) -> str:
        return "Q" if self.big else "I"

    @property
    def word_bytes(self) -> int:
        return 8 if self.big else 4


def read_header(data: Data) -> ImageHeader:
    """Size and depth from the first directory.

    Raises:
        ImageProblem: the directory is cut or damaged, or the pixels are no 8- or 16-bit integers.
    """
    tags = _pages(data)[0]
    width, height = _one(tags, _WIDTH), _one(tags, _HEIGHT)
    bits = _one(tags, _BITS, 1)
    kind = _one(tags, _SAMPLE_FORMAT, _UNSIGNED)
    if bits > 16 or kind != _UNSIGNED:
        what = {2: "signed", 3: "floating-point"}.get(kind, "unsigned")
        raise ImageProblem(f"it has {bits}-bit {what} pixels; expected unsigned ones of 8 or 16")
    largest = max(tags.get(_MAX_VALUE, (0,)))
    if bits == 16 and 255 < largest < 65535:
        bits = largest.bit_length()
    # OpenCV widens packed depths: fewer than 8 bits to 8, 9 to 15 to the upper bits of 16.
    elif bits != 16:
        bits = 8 if bits <= 8 else 16
    return ImageHeader(width, height, bits)


def check_whole(data: Data) -> None:
    """Check that there is one image, and that all its strips or tiles lie within the file.

    Raises:
        ImageProblem: it is not so.
    """
    pages = _pages(data)
    tags = pages[0]
    full = [page for page in pages[1:] if not _one(page, _SUBFILE, 0) & 1]
    if full:
        raise ImageProblem(f"it holds {len(full) + 1} images; save each to a file of its own")
    tiled = _TILE_OFFSETS in tags
    offsets = tags.get(_TILE_OFFSETS if tiled else _STRIP_OFFSETS, ())
    sizes = tags.get(_TILE_SIZES if tiled else _STRIP_SIZES, ())
    expected, raw_bytes = _expected(tags, tiled=tiled)
    if not len(offsets) == len(sizes) == expected:
        raise ImageProblem(
            f"the file is damaged: expected {expected} strips of pixels, it lists {len(offsets)}"
        )
    for offset, size in zip(offsets, sizes, strict=True):
        if offset + size > len(data):
            raise truncated(data, f"pixels up to byte {offset + size} are expected")
    uncompressed = _one(tags, _COMPRESSION, 1) == 1
    if min(sizes) < 1 or (uncompressed and sum(sizes) < raw_bytes):
        raise ImageProblem("the file is damaged: a strip of pixels is too small")


def _expected(tags: Tags, *, tiled: bool) -> tuple[int, int]:
    """Number of strips or tiles, and bytes of all pixels where they are not compressed."""
    width, height = _one(tags, _WIDTH), _one(tags, _HEIGHT)
    samples = _one(tags, _SAMPLES, 1)
    planes = samples if _one(tags, _PLANAR, 1) == 2 else 1
    if tiled:
        wide, high = max(1, _one(tags, _TILE_WIDTH)), max(1, _one(tags, _TILE_LENGTH))
        parts = -(-width // wide) * -(-height // high)
    else:
        parts = -(-height // max(1, min(height, _one(tags, _ROWS_PER_STRIP, height))))
    bits = _one(tags, _BITS, 1) * samples
    return parts * planes, (width * bits + 7) // 8 * height


def _one(tags: Tags, tag: int, default: int | None = None) -> int:
    values = tags.get(tag)
    if values:
        return values[0]
    if default is None:
        raise ImageProblem(f"the file is damaged: TIFF tag {tag} is missing")
    return default


def _pages(data: Data) -> list[Tags]:
    """The tags of each directory; no more than a few are read."""
    layout = _Layout("<" if data[:1] == b"I" else ">", bytes(data[2:4]) in {b"+\0", b"\0+"})
    (at,) = _unpack(data, layout, layout.word, 8 if layout.big else 4)
    pages: list[Tags] = []
    while at and len(pages) < _MAX_PAGES:
        tags, at = _directory(data, layout, at)
        pages.append(tags)
    if not pages:
        raise truncated(data, "a directory is expected")
    return pages


def _directory(data: Data, layout: _Layout, at: int) -> tuple[Tags, int]:
    count_format, entry_bytes = ("Q", 20) if layout.big else ("H", 12)
    (count,) = _unpack(data, layout, count_format, at)
    start = at + struct.calcsize("=" + count_format)
    end = start + count * entry_bytes
    (following,) = _unpack(data, layout, layout.word, end)
    tags: Tags = {}
    for entry in range(start, end, entry_bytes):
        tag, kind = _unpack(data, layout, "HH", entry)
        (values,) = _unpack(data, layout, layout.word, entry + 4)
        letter = _TYPES.get(kind)
        if letter is None or not values:
            continue
        if values > len(data):
            raise truncated(data, f"{values} values of tag {tag} are expected")
        place = entry + 4 + layout.word_bytes
        if struct.calcsize("=" + letter) * values > layout.word_bytes:
            (place,) = _unpack(data, layout, layout.word, place)
        tags[tag] = _unpack(data, layout, f"{values}{letter}", place)
    return tags, following


def _unpack(data: Data, layout: _Layout, fields: str, at: int) -> tuple[Any, ...]:
    size = struct.calcsize("=" + fields)
    if at + size > len(data):
        raise truncated(data, f"tags up to byte {at + size} are expected")
    return struct.unpack(layout.order + fields, data[at : at + size])
