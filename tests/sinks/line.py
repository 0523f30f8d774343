"""A real journal that is written as a running pipeline does, of small inspections."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

from linescan.journal import Entry, JournalWriter, Key
from linescan.protocol import Buffer, Kind, Stamp, encode, encode_end, encode_loss, encode_start
from linescan.records import Cause, Loss
from tests.journal.entries import put, section
from tests.protocol.samples import inspection
from tests.sinks.waiting import wait_until

TOTALS = {
    "captured": 0, "published": 0, "lost": {}, "unaccounted": 0, "phantom": 0, "estimated": 0,
}  # fmt: skip


class Line:
    """A journal's writer that knows what it wrote.

    Args:
        folder: of the journal.
        settings: of its section.
    """

    def __init__(self, folder: Path, camera: str = "web-1", **settings: object) -> None:
        self.folder = folder
        self.camera = camera
        self.writer = JournalWriter(folder, section(**settings))
        self.writer.open()
        self.entries: list[Entry] = []
        self.begin()

    def begin(self) -> None:
        """A new epoch, as after a restart of the pipeline."""
        self.epoch = str(uuid.uuid4())
        self._seq = {Kind.INSPECTION: 0, Kind.EVENT: 0}
        self._event(encode_start, software="test", settings={}, settings_sha256="0")

    def inspection(
        self, count: int = 1, *, size: tuple[int, int] = (14, 21), with_labels: bool = True
    ) -> None:
        for _ in range(count):
            stamp = self._stamp(Kind.INSPECTION)
            made = inspection(64 * stamp.seq, size=size, with_labels=with_labels)
            self._append(Kind.INSPECTION, stamp, encode(made, Kind.INSPECTION, stamp))

    def loss(self) -> None:
        stamp = self._stamp(Kind.EVENT)
        loss = Loss(64 * self._seq[Kind.INSPECTION], 7, Cause.CAMERA_GAP)
        self._append(Kind.EVENT, stamp, encode_loss(loss, stamp))

    def end(self) -> None:
        self._event(encode_end, totals=TOTALS, last_seq=None, reason="finished")

    def missing(self, count: int) -> None:
        """Inspections that could not be stored."""
        for _ in range(count):
            stamp = self._stamp(Kind.INSPECTION)
            self.writer.note_missing(Key(self.epoch, self.camera, Kind.INSPECTION, stamp.seq))

    def sync(self) -> None:
        self.writer.sync()

    def close(self) -> None:
        self.writer.close()

    def of(self, kind: Kind) -> Iterator[Entry]:
        return (entry for entry in self.entries if entry.key.kind is kind)

    def ids(self, *words: str) -> set[str]:
        """Identities of what a broker must have in the end."""
        return {
            f"{e.key.epoch}/{e.key.camera}/{word}/{e.key.seq}"
            for e in self.entries
            for word in words
            if word == e.key.kind or (word, e.key.kind) == ("objects", Kind.INSPECTION)
        }

    def _event(self, make: object, **fields: object) -> None:
        stamp = self._stamp(Kind.EVENT)
        assert callable(make)
        self._append(Kind.EVENT, stamp, make(stamp, **fields))

    def _stamp(self, kind: Kind) -> Stamp:
        seq = self._seq[kind]
        self._seq[kind] += 1
        at_ns = 1_700_000_000_000_000_000 + len(self.entries)
        return Stamp(self.camera, self.epoch, seq, at_ns)

    def _append(self, kind: Kind, stamp: Stamp, frames: list[Buffer] | None) -> None:
        assert frames is not None
        entry = Entry(Key(stamp.epoch, stamp.camera, kind, stamp.seq), stamp.published_ns, frames)
        put(self.writer, [entry])
        self.entries.append(entry)


class Running:
    """Keeps writing in a thread: inspections, a loss now and then, a restart of the line."""

    def __init__(self, line: Line, each_s: float) -> None:
        self._line = line
        self._each_s = each_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> Running:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._line.end()
        self._line.sync()

    def wait_for_more(self, count: int) -> None:
        """Until so many messages more have been written."""
        wanted = len(self._line.entries) + count
        wait_until(lambda: len(self._line.entries) >= wanted, f"{count} messages more")

    def _write(self) -> None:
        count = 0
        while not self._stop.wait(self._each_s):
            count += 1
            self._line.inspection()
            if count % 40 == 0:
                self._line.loss()
            if count % 500 == 0:
                self._line.end()
                self._line.begin()
            self._line.sync()
