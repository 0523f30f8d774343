"""The index: where each message lies. Everything in it stands in the segments as well.

It is SQLite in WAL mode, so that readers, in other processes too, see a consistent state while the
writer adds to it. Positions say up to where each segment is indexed; what lies beyond is found by
reading the segments.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from linescan.journal.keys import Content, Range, Stream
from linescan.journal.layout import Record
from linescan.protocol import Kind
from linescan.records import Interval

VERSION: Final = 1
"""As ``_SCHEMA`` sets it."""
CHUNK: Final = 256
"""Rows that are read at once."""

_SCHEMA: Final = """
CREATE TABLE segments (number INTEGER PRIMARY KEY, created_ns INTEGER, bytes INTEGER);
CREATE TABLE streams (id INTEGER PRIMARY KEY, epoch TEXT, camera TEXT, kind TEXT,
  UNIQUE (epoch, camera, kind));
CREATE TABLE contents (segment INTEGER, stream INTEGER, first INTEGER, last INTEGER,
  messages INTEGER, missing INTEGER, bytes INTEGER, first_ns INTEGER, last_ns INTEGER,
  PRIMARY KEY (segment, stream)) WITHOUT ROWID;
CREATE TABLE entries (stream INTEGER, seq INTEGER, segment INTEGER, offset INTEGER,
  PRIMARY KEY (stream, seq)) WITHOUT ROWID;
CREATE TABLE gaps (stream INTEGER, first INTEGER, count INTEGER, segment INTEGER,
  PRIMARY KEY (stream, first)) WITHOUT ROWID;
PRAGMA user_version = 1;
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message lies."""

    seq: int
    segment: int
    offset: int


class Index:
    """An open index. Calls from several threads must not overlap; each may raise sqlite3.Error."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make an empty index where there is none."""
        index = cls(_connect(path, "rwc"))
        index._db.executescript(_SCHEMA)
        return index

    @classmethod
    def open(cls, path: Path, *, writable: bool = False) -> Self:
        """Open an index.

        Raises:
            sqlite3.Error: it is missing, broken or of another version.
        """
        index = cls(_connect(path, "rw" if writable else "ro"))
        try:
            index._check(thoroughly=writable)
        except BaseException:
            index.close()
            raise
        return index

    def _check(self, *, thoroughly: bool) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version != VERSION:
            raise sqlite3.DatabaseError(f"version {version} of the index")
        if thoroughly:
            (verdict,) = self._db.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise sqlite3.DatabaseError(verdict)

    def close(self) -> None:
        """Release it."""
        self._db.close()

    def positions(self) -> dict[int, int]:
        """Up to which offset each segment is indexed."""
        return dict(self._db.execute("SELECT number, bytes FROM segments"))

    def created(self) -> dict[int, int]:
        """When each indexed segment was begun, ns."""
        return dict(self._db.execute("SELECT number, created_ns FROM segments"))

    def streams(self) -> dict[Stream, int]:
        """The id of each stream."""
        rows = self._db.execute("SELECT id, epoch, camera, kind FROM streams").fetchall()
        return {Stream(epoch, camera, Kind(kind)): id_ for id_, epoch, camera, kind in rows}

    def contents(self) -> list[tuple[int, Content]]:
        """What each segment, named by its number, holds of each stream; in order of writing."""
        # One statement: a writer may add a stream between two.
        rows = self._db.execute(
            "SELECT segment, epoch, camera, kind, first, last, messages, missing, bytes, first_ns,"
            " last_ns FROM contents JOIN streams ON contents.stream = streams.id"
            " ORDER BY segment, stream"
        ).fetchall()
        return [
            (segment, Content(Stream(epoch, camera, Kind(kind)), Range(first, last), *rest))
            for segment, epoch, camera, kind, first, last, *rest in rows
        ]

    def places(self, stream: Stream, first: int, last: int) -> Iterator[Place]:
        """Where the messages of a range lie, in order; holds ``CHUNK`` rows at a time."""
        id_ = self._stream_id(stream)
        while id_ is not None and first <= last:
            rows = self._db.execute(
                "SELECT seq, segment, offset FROM entries WHERE stream = ? AND seq BETWEEN ? AND ?"
                " ORDER BY seq LIMIT ?",
                (id_, first, last, CHUNK),
            ).fetchall()
            yield from (Place(*row) for row in rows)
            if len(rows) < CHUNK:
                return
            first = rows[-1][0] + 1

    def gaps(self, stream: Stream) -> list[Interval]:
        """Messages that were never stored."""
        id_ = self._stream_id(stream)
        rows = self._db.execute(
            "SELECT first, count FROM gaps WHERE stream = ? ORDER BY first", (id_,)
        )
        return [Interval(*row) for row in rows]

    def add(
        self, records: Iterable[Record], indexed: Mapping[int, int], created: Mapping[int, int]
    ) -> None:
        """Enter records, all at once or not at all.

        Args:
            records: what was written.
            indexed: up to where their segments are now indexed.
            created: when these segments were begun, ns.
        """
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            ids = self.streams()
            for record in records:
                stream = record.key.stream
                if stream not in ids:
                    ids[stream] = self._add_stream(stream)
                self._add(record, ids[stream])
            self._db.executemany(
                "INSERT INTO segments VALUES (?, ?, ?)"
                " ON CONFLICT DO UPDATE SET bytes = excluded.bytes",
                [(number, created[number], end) for number, end in indexed.items()],
            )

    def remove(self, numbers: Sequence[int]) -> None:
        """Forget segments that are gone."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            for number in numbers:
                self._remove(number)
            self._db.execute("DELETE FROM streams WHERE id NOT IN (SELECT stream FROM contents)")

    def _remove(self, number: int) -> None:
        for stream, first, last in self._db.execute(
            "SELECT stream, first, last FROM contents WHERE segment = ?", (number,)
        ).fetchall():
            span = (stream, first, last, number)
            self._db.execute(
                "DELETE FROM entries WHERE stream = ? AND seq BETWEEN ? AND ? AND segment = ?", span
            )
            self._db.execute(
                "DELETE FROM gaps WHERE stream = ? AND first BETWEEN ? AND ? AND segment = ?", span
            )
        self._db.execute("DELETE FROM contents WHERE segment = ?", (number,))
        self._db.execute("DELETE FROM segments WHERE number = ?", (number,))

    def _stream_id(self, stream: Stream) -> int | None:
        row = self._db.execute(
            "SELECT id FROM streams WHERE epoch = ? AND camera = ? AND kind = ?", tuple(stream)
        ).fetchone()
        return None if row is None else row[0]

    def _add_stream(self, stream: Stream) -> int:
        self._db.execute(
            "INSERT INTO streams (epoch, camera, kind) VALUES (?, ?, ?)", tuple(stream)
        )
        id_ = self._stream_id(stream)
        assert id_ is not None  # noqa: S101
        return id_

    def _add(self, record: Record, stream: int) -> None:
        key, messages = record.key, int(not record.missing)
        if record.missing:
            self._db.execute(
                "INSERT OR REPLACE INTO gaps VALUES (?, ?, ?, ?)",
                (stream, key.seq, record.missing, record.segment),
            )
        else:
            self._db.execute(
                "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)",
                (stream, key.seq, record.segment, record.offset),
            )
        self._db.execute(
            "INSERT INTO contents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " first = min(first, excluded.first), last = max(last, excluded.last),"
            " messages = messages + excluded.messages, missing = missing + excluded.missing,"
            " bytes = bytes + excluded.bytes, first_ns = min(first_ns, excluded.first_ns),"
            " last_ns = max(last_ns, excluded.last_ns)",
            (
                record.segment,
                stream,
                key.seq,
                record.last_seq,
                messages,
                record.missing,
                record.end - record.offset,
                record.published_ns,
                record.published_ns,
            ),
        )


def remove_index(path: Path) -> None:
    """Delete an index with its side files; nothing is lost by it."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(
        uri, uri=True, isolation_level=None, timeout=5.0, check_same_thread=False
    )
    try:
        if mode != "ro":
            # WAL with NORMAL stays whole at a power failure; what it lacks is in the segments.
            with closing(connection.execute("PRAGMA journal_mode = WAL")) as cursor:
                cursor.fetchall()
            connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        connection.close()
        raise
    return connection
