"""Reads segment files: records one after another, and past damage to the next whole one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from linescan.journal.layout import (
    LEAST_HEAD_BYTES,
    MOST_HEAD_BYTES,
    RECORD_MAGIC,
    Record,
    checksum,
    head_bytes,
    parse_head,
)
from linescan.protocol import Buffer

_FIRST_READ: Final = 512
_SEARCH_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes ``first`` to ``end`` (excluded) of a segment that are no record.

    Where ``end`` is the end of the file it may be the torn tail of a write that is under way.
    """

    segment: int
    first: int
    end: int


def read_head(handle: int, segment: int, offset: int, size: int) -> Record | None:
    """The record at ``offset`` of an open segment; None where no whole one lies before ``size``."""
    data = os.pread(handle, _FIRST_READ, offset)
    length = head_bytes(data)
    if length is None:
        return None
    if length > len(data):
        data = os.pread(handle, min(length, MOST_HEAD_BYTES), offset)
    record = parse_head(data, segment, offset)
    return record if record is not None and record.end <= size else None


def walk(handle: int, segment: int, start: int, size: int) -> Iterator[Record | Damage]:
    """All records from ``start`` to ``size``, and what lies between them where it is damaged."""
    offset = start
    while offset < size:
        record = read_head(handle, segment, offset, size)
        if record is None:
            following = _search(handle, segment, offset + 1, size)
            # A writer fills the zeros at its end in order: what stands before a whole record now
            # may not have been there a moment ago.
            if following == size or read_head(handle, segment, offset, size) is None:
                yield Damage(segment, offset, following)
                offset = following
        else:
            yield record
            offset = record.end


def read_parts(handle: int, record: Record) -> tuple[Buffer, ...] | None:
    """The parts of a message, read-only; None where they are not what was written."""
    body = bytearray(record.body_bytes)
    view, done = memoryview(body), 0
    while done < len(body):
        count = os.preadv(handle, [view[done:]], record.body_offset + done)
        if not count:
            return None
        done += count
    parts, at = [], 0
    for length, crc in record.parts:
        part = view[at : at + length].toreadonly()
        if checksum(part) != crc:
            return None
        parts.append(part)
        at += length
    return tuple(parts)


def _search(handle: int, segment: int, start: int, size: int) -> int:
    """Where the next whole record begins; ``size`` where there is none."""
    offset = start
    while offset + LEAST_HEAD_BYTES <= size:
        chunk = os.pread(handle, _SEARCH_BYTES, offset)
        if len(chunk) < LEAST_HEAD_BYTES:
            break
        at = chunk.find(RECORD_MAGIC)
        while at >= 0:
            if read_head(handle, segment, offset + at, size) is not None:
                return offset + at
            at = chunk.find(RECORD_MAGIC, at + 1)
        offset += len(chunk) - len(RECORD_MAGIC) + 1
    return size
