"""Bytes of a segment file: a file header, then records, each with checksums over everything.

A record is a head and a body. The head names the message, its own place (so that nothing inside a
message can pass for a record) and length and CRC-32C of each part of the body; a CRC-32C of the
head itself ends it. All numbers are little-endian. See docs/explanation/journal.md.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from linescan.errors import JournalError
from linescan.journal.keys import Content, Key, Range
from linescan.protocol import Buffer, Kind
from linescan.protocol.checksum import crc32c

Part = tuple[memoryview, int]
"""Bytes of a message's part, and their CRC-32C."""

FILE_MAGIC: Final = b"\x89LSJRNL\n"
RECORD_MAGIC: Final = b"\x89LSRECD\n"
VERSION: Final = 1
MOST_PARTS: Final = 1024
MOST_NAME_BYTES: Final = 255
MOST_SEQ: Final = 2**63 - 1

_FILE: Final = struct.Struct("<8sIQq")
_CRC: Final = struct.Struct("<I")
FILE_HEADER_BYTES: Final = _FILE.size + _CRC.size
_HEAD: Final = struct.Struct("<8sIQQBBHqQQBB")
_PART: Final = struct.Struct("<QI")
LEAST_HEAD_BYTES: Final = _HEAD.size + _CRC.size
MOST_HEAD_BYTES: Final = LEAST_HEAD_BYTES + 2 * MOST_NAME_BYTES + MOST_PARTS * _PART.size

_MESSAGE, _GAP = 1, 2
_CODES: Final = {Kind.INSPECTION: 1, Kind.EVENT: 2}
_KINDS: Final = {code: kind for kind, code in _CODES.items()}
KINDS: Final = tuple(_CODES)
"""The kinds that the journal keeps; all others are derived from them."""


@dataclass(frozen=True, slots=True)
class Record:
    """What the head of a record says.

    Attributes:
        segment: number of the segment file.
        offset: where the record begins in it.
        head_bytes: length of the head.
        key: the message, or the first of those that could not be stored.
        published_ns: its host time of publication; for a gap, when it was noted.
        missing: 0 for a message; for a gap, how many messages from ``key`` on were never stored.
        parts: length and CRC-32C of each part of the message.
    """

    segment: int
    offset: int
    head_bytes: int
    key: Key
    published_ns: int
    missing: int
    parts: Sequence[tuple[int, int]]

    @property
    def body_offset(self) -> int:
        """Where the first part begins."""
        return self.offset + self.head_bytes

    @property
    def body_bytes(self) -> int:
        """Length of all parts."""
        return sum(size for size, _ in self.parts)

    @property
    def end(self) -> int:
        """Where the next record begins."""
        return self.body_offset + self.body_bytes

    @property
    def content(self) -> Content:
        """What it adds to its stream."""
        return Content(
            self.key.stream,
            Range(self.key.seq, self.last_seq),
            int(not self.missing),
            self.missing,
            self.end - self.offset,
            self.published_ns,
            self.published_ns,
        )

    @property
    def last_seq(self) -> int:
        """The sequence number of the message, or of the last one missing."""
        return self.key.seq + max(self.missing, 1) - 1


def checksum(data: Buffer) -> int:
    """CRC-32C of contiguous bytes.

    Raises:
        JournalError: the package that computes it is missing.
    """
    value = crc32c(memoryview(data))
    if value is None:
        raise JournalError(
            "the journal needs the package crc32c, which this Python has not: install it with: pip"
            " install crc32c"
        )
    return value


def pack_file_header(number: int, created_ns: int) -> bytes:
    """The first bytes of a segment file."""
    head = _FILE.pack(FILE_MAGIC, VERSION, number, created_ns)
    return head + _CRC.pack(checksum(head))


def parse_file_header(data: bytes, number: int) -> int | None:
    """When the segment file was begun, ns; None where these are not the bytes of its header.

    Raises:
        JournalError: a later version of linescan wrote it.
    """
    if len(data) < FILE_HEADER_BYTES:
        return None
    magic, version, stated, created_ns = _FILE.unpack_from(data)
    (crc,) = _CRC.unpack_from(data, _FILE.size)
    if magic != FILE_MAGIC or crc != checksum(data[: _FILE.size]) or stated != number:
        return None
    if version != VERSION:
        raise JournalError(
            f"segment {number} is of journal format {version}, this linescan reads {VERSION}:"
            f" use the version that wrote it, or a newer one"
        )
    return int(created_ns)


def check(key: Key, count: int) -> None:
    """Make sure that a message of ``count`` parts can be written down.

    Raises:
        JournalError: it cannot: its kind, names, number or parts.
    """
    if key.kind not in _CODES:
        raise JournalError(f"{key}: the journal keeps {' and '.join(_CODES)} only")
    if (
        max(len(key.epoch.encode()), len(key.camera.encode())) > MOST_NAME_BYTES
        or count > MOST_PARTS
    ):
        raise JournalError(
            f"{key}: at most {MOST_NAME_BYTES} bytes of a name and {MOST_PARTS} parts of a message"
            f" can be journalled"
        )
    if not 0 <= key.seq < MOST_SEQ:
        raise JournalError(f"{key}: sequence numbers are 0 to {MOST_SEQ - 1}")


def head_size(key: Key, count: int) -> int:
    """Length of the head of a message of ``count`` parts."""
    names = len(key.epoch.encode()) + len(key.camera.encode())
    return LEAST_HEAD_BYTES + names + count * _PART.size


def pack_head(
    segment: int,
    offset: int,
    key: Key,
    published_ns: int,
    parts: Sequence[tuple[int, int]],
    missing: int = 0,
) -> bytes:
    """The head of a record for this place; what it names was checked by ``check``."""
    epoch, camera = key.epoch.encode(), key.camera.encode()
    size = head_size(key, len(parts))
    fixed = _HEAD.pack(
        RECORD_MAGIC,
        size,
        segment,
        offset,
        _GAP if missing else _MESSAGE,
        _CODES[key.kind],
        len(parts),
        published_ns,
        key.seq,
        missing,
        len(epoch),
        len(camera),
    )
    head = b"".join((fixed, epoch, camera, *(_PART.pack(*part) for part in parts)))
    return head + _CRC.pack(checksum(head))


def head_bytes(data: bytes) -> int | None:
    """The stated length of a head whose first bytes these are; None where they are no head's."""
    if len(data) < LEAST_HEAD_BYTES or data[: len(RECORD_MAGIC)] != RECORD_MAGIC:
        return None
    size = int(_HEAD.unpack_from(data)[1])
    return size if LEAST_HEAD_BYTES <= size <= MOST_HEAD_BYTES else None


def parse_head(data: bytes, segment: int, offset: int) -> Record | None:
    """A record from the bytes of its head; None where they are not one for this place."""
    size = head_bytes(data)
    if size is None or len(data) < size:
        return None
    (crc,) = _CRC.unpack_from(data, size - _CRC.size)
    if crc != checksum(data[: size - _CRC.size]):
        return None
    _, _, at_segment, at, what, code, count, published_ns, seq, missing, n, m = _HEAD.unpack_from(
        data
    )
    if (at_segment, at) != (segment, offset) or (what == _GAP) != bool(missing):
        return None
    table = _HEAD.size + n + m
    if table + count * _PART.size + _CRC.size != size or code not in _KINDS:
        return None
    try:
        epoch = data[_HEAD.size : _HEAD.size + n].decode()
        camera = data[_HEAD.size + n : table].decode()
    except UnicodeDecodeError:
        return None
    return Record(
        segment=segment,
        offset=offset,
        head_bytes=size,
        key=Key(epoch, camera, _KINDS[code], seq),
        published_ns=published_ns,
        missing=missing,
        parts=tuple(_PART.iter_unpack(data[table : size - _CRC.size])),
    )
