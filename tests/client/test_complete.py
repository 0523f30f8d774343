"""Mode complete against publishers with a journal, in processes of their own."""

from __future__ import annotations

import threading
import time

import pytest

from linescan.client import Gap
from linescan.protocol import Kind, StartEvent
from tests.client.completing import (
    INSPECTION,
    INSPECTIONS,
    begin,
    complete,
    gaps_told_by,
    miss,
    take,
)
from tests.client.helpers import seqs
from tests.client.journalled import Journalled, journalled
from tests.waiting import PATIENCE_MS, PATIENCE_S, wait_until

pytestmark = pytest.mark.timeout(180)  # several processes each


def test_who_comes_late_gets_everything_in_order(line: Journalled) -> None:
    line.tell("frame 20", "loss", "frame 5", "end")
    with complete(line) as results:
        given = list(results)
        expected = [(Kind.EVENT, 0), *((Kind.INSPECTION, n) for n in range(20)), (Kind.EVENT, 1)]
        expected += [*((Kind.INSPECTION, n) for n in range(20, 25)), (Kind.EVENT, 2)]
        assert [(m.kind, m.seq) for m in given] == expected
        assert isinstance(results.start, StartEvent)
        assert results.end is given[-1]
        assert results.fetched == 28
        assert not results.missed
        assert not results.gaps


def test_it_goes_on_after_what_it_was_given_and_came_back_for(line: Journalled) -> None:
    line.tell("frame 10")
    with complete(line, INSPECTIONS) as results:
        assert seqs(take(results, 4)) == [0, 1, 2, 3]  # came back for all but the last
    with complete(line, INSPECTIONS) as results:
        assert seqs(take(results, 3)) == [3, 4, 5]
        results.acknowledge()
    with complete(line, INSPECTIONS) as results:
        assert seqs(take(results, 1)) == [6]
    with complete(line, INSPECTIONS, name="qc-2") as other:
        assert seqs(take(other, 1)) == [0]
    with complete(line, INSPECTIONS, since="oldest") as results:
        assert seqs(take(results, 1)) == [0]
    with complete(line, INSPECTIONS, since="now") as results:
        begin(line, results)
        line.tell("frame")
        assert seqs(take(results, 1)) == [10]


def test_a_restart_takes_nothing_away(line: Journalled) -> None:
    with complete(line, follow=True) as results:
        line.tell("frame 5")
        assert len(take(results, 6)) == 6
        line.tell("frame 5", "loss")  # not read before the publisher dies
        line.kill()
        with journalled(line.order) as second:
            second.tell("frame 3")
            second.kill()  # never seen live
        with journalled(line.order) as third:
            third.tell("frame 2", "end")
            given = take(results, 6 + 4 + 4)
        epochs = list(dict.fromkeys(m.epoch for m in given))
        assert len(epochs) == 3
        assert [[m.seq for m in given if m.epoch == e and m.kind is Kind.INSPECTION]
                for e in epochs] == [[5, 6, 7, 8, 9], [0, 1, 2], [0, 1]]  # fmt: skip
        assert results.restarts == 2
        assert not results.missed


def test_who_does_not_keep_up_gets_everything_and_is_told(line: Journalled) -> None:
    """Nobody reads: the publisher's queue and the socket's fill, and the rest is dropped."""
    reasons: list[str] = []
    with complete(line, INSPECTIONS, on_slow=reasons.append) as results:
        line.tell("wait", "frame 1")
        assert seqs(take(results, 1)) == [0]
        before = results.fetched
        line.tell("frame 4000")
        assert seqs(take(results, 4000)) == list(range(1, 4001))
        assert results.fetched - before > 200
        assert not results.missed
        assert "of the last 200 messages had to come from the journal" in reasons[0]
        assert results.slow == len(reasons)
        results.timeout_s = 0.1
        wait_until(lambda: gaps_told_by(line, results)["inspection"] > 200)


def test_a_lost_tail_is_seen_from_the_status(line: Journalled) -> None:
    with complete(line, INSPECTIONS) as results:
        line.tell("wait", "frame 2")
        assert seqs(take(results, 2)) == [0, 1]
        before = results.fetched
        # As if the live stream had lost its last messages: nothing comes after them.
        results._connection.socket.unsubscribe(INSPECTION)
        line.tell("unwanted", "frame 3")
        assert seqs(take(results, 3)) == [2, 3, 4]
        assert results.fetched - before == 3


def test_a_callback_that_raises_loses_no_message(line: Journalled) -> None:
    def refuse(gap: Gap) -> None:
        raise RuntimeError("not now")

    with complete(line, INSPECTIONS, on_gap=refuse) as results:
        line.tell("wait", "frame 2")
        assert seqs(take(results, 2)) == [0, 1]
        miss(line, results, 3)
        line.tell("frame 5", "end")
        assert results._connection.socket.poll(PATIENCE_MS)  # before the status tells of the gap
        with pytest.raises(RuntimeError, match="not now"):
            next(results)
        assert seqs(list(results)) == list(range(2, 10))
        assert not results.missed


def test_two_read_at_their_own_pace(line: Journalled) -> None:
    line.tell("frame 300", "end")
    got: dict[str, list[int]] = {}

    def read(name: str, pause_s: float) -> None:
        with complete(line, INSPECTIONS, name=name, buffer_mb=1) as results:
            got[name] = []
            for received in results:
                got[name].append(received.seq)
                time.sleep(pause_s)

    threads = [threading.Thread(target=read, args=args) for args in (("a", 0.0), ("b", 0.005))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * PATIENCE_S)
    assert got == {"a": list(range(300)), "b": list(range(300))}
