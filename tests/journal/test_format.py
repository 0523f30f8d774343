"""The bytes on the disk are those of docs/explanation/journal.md, read here by its table alone."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crc32c import crc32c

from linescan.journal import JournalWriter
from linescan.protocol import Kind
from tests.journal.entries import EPOCH, message, put, section


def records(data: bytes) -> Iterator[dict[str, Any]]:
    """All records of a segment."""
    magic, version, number, _, crc = struct.unpack_from("<8sIQqI", data)
    assert (magic.hex(" ").upper(), version, number) == ("89 4C 53 4A 52 4E 4C 0A", 1, 1)
    assert crc == crc32c(data[:28])
    at = 32
    while at < len(data):
        magic, length, segment, offset, what, kind, count, published, seq, missing, n, m = (
            struct.unpack_from("<8sIQQBBHqQQBB", data, at)
        )
        assert magic.hex(" ").upper() == "89 4C 53 52 45 43 44 0A"
        assert (segment, offset) == (number, at)
        head = data[at : at + length]
        assert struct.unpack("<I", head[-4:])[0] == crc32c(head[:-4])
        table = head[-4 - 12 * count : -4]
        names = head[-4 - 12 * count - n - m : -4 - 12 * count].decode()
        at += length
        parts = []
        for size, crc in struct.iter_unpack("<QI", table):
            parts.append(data[at : at + size])
            assert crc == crc32c(parts[-1])
            at += size
        yield {
            "what": what,
            "kind": kind,
            "published": published,
            "seq": seq,
            "missing": missing,
            "names": names,
            "parts": parts,
        }


def test_a_segment_by_its_table(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, section())
    writer.open()
    put(writer, [message(0), message(1, kind=Kind.EVENT)])
    writer.note_missing(message(1).key)
    writer.note_missing(message(2).key)
    writer.close()
    first, second, gap = records((tmp_path / "segments/0000000001.segment").read_bytes())
    assert first == {
        "what": 1,
        "kind": 1,
        "published": message(0).published_ns,
        "seq": 0,
        "missing": 0,
        "names": f"{EPOCH}web-1",
        "parts": list(message(0).frames),
    }
    assert (second["kind"], second["seq"], second["parts"]) == (
        2,
        1,
        list(message(1, kind=Kind.EVENT).frames),
    )
    assert (gap["what"], gap["kind"], gap["seq"], gap["missing"], gap["parts"]) == (2, 1, 1, 2, [])
