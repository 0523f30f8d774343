"""Whole runs as a publisher journals them: start, inspections, losses, end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from linescan.journal import Entry, JournalWriter, Key
from linescan.protocol import (
    Buffer,
    Kind,
    Stamp,
    encode,
    encode_end,
    encode_loss,
    encode_start,
)
from linescan.records import Cause, Loss
from tests.journal.entries import EPOCH, put, section
from tests.protocol.samples import inspection

ROWS = 64
SECOND = 1_000_000_000


def run(
    count: int = 5,
    *,
    epoch: str = EPOCH,
    camera: str = "web-1",
    at_ns: int = 0,
    lost: int = 10,
    ended: bool = True,
    with_depth: bool = True,
) -> list[Entry]:
    """A message a second: ``count`` inspections of 64 lines, with ``lost`` lines after them."""
    entries: list[Entry] = []
    following = {Kind.INSPECTION: 0, Kind.EVENT: 0}

    def add(kind: Kind, make: Callable[[Stamp], list[Buffer] | None]) -> None:
        stamp = Stamp(camera, epoch, following[kind], at_ns + len(entries) * SECOND)
        frames = make(stamp)
        assert frames is not None
        key = Key(epoch, camera, kind, stamp.seq)
        entries.append(Entry(key, stamp.published_ns, tuple(map(bytes, frames))))
        following[kind] += 1

    def start(stamp: Stamp) -> list[Buffer]:
        return encode_start(stamp, software="tests", settings={}, settings_sha256="")

    def inspect(number: int, stamp: Stamp) -> list[Buffer] | None:
        made = inspection(number * ROWS, ROWS, with_depth=with_depth, objects=number % 3)
        return encode(made, Kind.INSPECTION, stamp)

    add(Kind.EVENT, start)
    for number in range(count):
        add(Kind.INSPECTION, partial(inspect, number))
    if lost:
        loss = Loss(count * ROWS, lost, Cause.CAMERA_GAP)
        add(Kind.EVENT, lambda stamp: encode_loss(loss, stamp))
    if ended:
        totals = {
            "captured": count * ROWS + lost,
            "published": count * ROWS,
            "lost": {"camera_gap": lost} if lost else {},
            "unaccounted": 0,
            "phantom": 0,
            "estimated": 0,
        }
        last = count - 1 if count else None
        add(
            Kind.EVENT,
            lambda stamp: encode_end(stamp, totals=totals, last_seq=last, reason="finished"),
        )
    return entries


def keep(folder: Path, entries: Iterable[Entry]) -> None:
    """Write them into a journal."""
    writer = JournalWriter(folder, section())
    writer.open()
    put(writer, entries)
    writer.close()
