"""What a sink reads of a journal: order, gaps, and where it begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from linescan.journal import Entry, Stream
from linescan.protocol import Kind
from linescan.sinks.cursor import Cursor
from linescan.sinks.follow import Follower
from linescan.sinks.outgoing import Gone
from tests.sinks.line import Line

NAME = "sink-test"


@pytest.fixture
def cursor(line: Line) -> Cursor:
    return Cursor(line.folder, NAME)


def stream(line: Line, kind: Kind = Kind.INSPECTION) -> Stream:
    return Stream(line.epoch, line.camera, kind)


def take(follower: Follower, cursor: Cursor) -> list[Entry | Gone]:
    """All that is new, as if a broker had acknowledged it."""
    found = list(follower.new())
    for item in found:
        if isinstance(item, Gone):
            cursor.advance(item.stream, item.last, 0.0)
        else:
            cursor.advance(item.key.stream, item.key.seq, 0.0)
    return found


def keys(items: list[Entry | Gone]) -> list[object]:
    return [item if isinstance(item, Gone) else item.key for item in items]


def test_all_kinds_come_in_the_order_of_publication_epoch_by_epoch(
    line: Line, cursor: Cursor
) -> None:
    for _ in range(3):
        line.inspection(4)
        line.loss()
        line.inspection(1)
        line.end()
        line.begin()
    assert keys(take(Follower(line.folder, cursor), cursor)) == [e.key for e in line.entries]


def test_only_what_is_new_comes_again(line: Line, cursor: Cursor) -> None:
    follower = Follower(line.folder, cursor)
    line.inspection(3)
    assert len(take(follower, cursor)) == 4
    assert follower.behind == 4
    assert take(follower, cursor) == []
    line.inspection(2)
    assert keys(take(follower, cursor)) == [e.key for e in line.entries[-2:]]
    assert follower.behind == 2


def test_the_place_outlives_the_process(line: Line, cursor: Cursor) -> None:
    line.inspection(3)
    take(Follower(line.folder, cursor), cursor)
    cursor.save()
    line.inspection(1)
    again = Cursor(line.folder, NAME)
    assert not again.is_new
    assert keys(take(Follower(line.folder, again), again)) == [line.entries[-1].key]


def test_what_could_not_be_stored_is_said_in_its_place(line: Line, cursor: Cursor) -> None:
    follower = Follower(line.folder, cursor)
    line.inspection(2)
    line.missing(3)
    line.inspection(1)
    line.missing(2)
    line.sync()
    items = take(follower, cursor)
    assert keys(items)[1:] == [
        line.entries[1].key,
        line.entries[2].key,
        Gone(stream(line), 2, 4),
        line.entries[3].key,
        Gone(stream(line), 6, 7),
    ]
    assert take(follower, cursor) == []


def pruned_line(folder: Path) -> Line:
    """A line whose journal holds about five inspections."""
    return Line(folder, max_gb=0.005)


def test_a_new_sink_does_not_miss_what_was_gone_before_it(tmp_path: Path) -> None:
    line = pruned_line(tmp_path)
    line.inspection(12, size=(280, 420))
    line.writer.prune()
    cursor = Cursor(tmp_path, NAME)
    items = take(Follower(tmp_path, cursor), cursor)
    assert items
    assert not any(isinstance(item, Gone) for item in items)
    line.close()


def test_a_known_sink_hears_of_all_that_went_meanwhile(tmp_path: Path) -> None:
    line = pruned_line(tmp_path)
    cursor = Cursor(tmp_path, NAME)
    follower = Follower(tmp_path, cursor)
    take(follower, cursor)
    first_epoch = stream(line)
    line.inspection(2, size=(280, 420))
    follower.new()  # it was seen, and not taken
    line.begin()
    line.inspection(14, size=(280, 420))
    line.writer.prune()
    items = take(follower, cursor)
    gone = [item for item in items if isinstance(item, Gone)]
    there = [item.key.seq for item in items if isinstance(item, Entry)]
    assert gone[0] == Gone(first_epoch, 0, 1)
    assert Gone(stream(line), 0, there[0] - 1) in gone
    assert there == list(range(there[0], 14))
    line.close()


def test_a_sink_that_was_away_hears_of_a_run_that_went_as_a_whole(tmp_path: Path) -> None:
    line = pruned_line(tmp_path)
    first_epoch = stream(line)
    line.inspection(1, size=(280, 420))
    cursor = Cursor(tmp_path, NAME)
    take(Follower(tmp_path, cursor), cursor)
    cursor.save()
    line.inspection(2, size=(280, 420))
    line.begin()
    line.inspection(14, size=(280, 420))
    line.writer.prune()
    cursor = Cursor(tmp_path, NAME)
    items = take(Follower(tmp_path, cursor), cursor)
    assert items[0] == Gone(first_epoch, 1, 2)
    assert take(Follower(tmp_path, cursor), cursor) == []
    line.close()
