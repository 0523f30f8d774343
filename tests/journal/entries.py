"""Messages for the tests: any bytes, told apart by what is in them."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterable
from pathlib import Path

from linescan.config import JournalSection
from linescan.errors import JournalError
from linescan.journal import Entry, JournalReader, JournalWriter, Key
from linescan.journal.segment import Segment
from linescan.protocol import Kind

EPOCH = "00000000-0000-4000-8000-000000000001"
SECOND = 1_000_000_000


def section(**settings: object) -> JournalSection:
    """Small segments, so that a few messages fill some; and times since 1970 are not old."""
    base = {"enabled": True, "segment_mb": 1, "max_gb": 1, "max_age_h": 1e6}
    return JournalSection.model_validate({**base, **settings})


def message(
    seq: int,
    *,
    size: int = 1000,
    epoch: str = EPOCH,
    camera: str = "web-1",
    kind: Kind = Kind.INSPECTION,
    at_ns: int | None = None,
) -> Entry:
    """A message of about ``size`` bytes that no other one equals."""
    noise = random.Random(f"{epoch}{camera}{kind}{seq}")
    body = noise.randbytes(size)
    frames = (f"linescan/1/{camera}/{kind}/".encode(), b'{"seq": %d}' % seq, body, b"")
    return Entry(
        Key(epoch, camera, kind, seq), SECOND * (seq + 1) if at_ns is None else at_ns, frames
    )


def put(writer: JournalWriter, entries: Iterable[Entry]) -> None:
    """Have them written, and sync as often as a disk that keeps up would be asked to."""
    for entry in entries:
        if len(segments(writer)) > 4:
            writer.sync()
        writer.append(entry.key, entry.published_ns, entry.frames)
        if sum(map(len, entry.frames)) > 50_000:
            writer.flush()
    writer.flush()


def put_or_miss(writer: JournalWriter, entry: Entry) -> bool:
    """Append as the publisher does; whether it was stored."""
    missing = writer.state.missing
    with contextlib.suppress(JournalError):
        writer.append(entry.key, entry.published_ns, entry.frames)
    writer.flush()
    return writer.state.missing == missing


def segments(writer: JournalWriter) -> list[Segment]:
    """Those that are open."""
    assert writer._storing is not None
    return writer._storing.segments


def same(a: Entry, b: Entry) -> bool:
    return (a.key, a.published_ns, [bytes(f) for f in a.frames]) == (
        b.key,
        b.published_ns,
        [bytes(f) for f in b.frames],
    )


def read_all(
    folder: Path, *, epoch: str = EPOCH, camera: str = "web-1", kind: Kind = Kind.INSPECTION
) -> list[Entry]:
    return list(JournalReader(folder).read(epoch, camera, kind, 0, 2**62))


def seqs(folder: Path, **which: object) -> list[int]:
    return [entry.key.seq for entry in read_all(folder, **which)]  # type: ignore[arg-type]


def check(folder: Path, expected: Iterable[Entry], **which: object) -> None:
    """What the folder holds is this, byte for byte."""
    found, wanted = read_all(folder, **which), list(expected)  # type: ignore[arg-type]
    assert [entry.key for entry in found] == [entry.key for entry in wanted]
    assert all(map(same, found, wanted))
