"""What mode complete cannot get is reported: pruned, or never journalled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from linescan.client import Gap, Subscriber
from linescan.protocol import Kind
from tests.client.completing import INSPECTIONS, begin, complete, miss, take
from tests.client.helpers import Raw, end_message, message, seqs
from tests.client.journalled import Order, journalled
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.timeout(180)  # several processes each


def test_what_the_journal_no_longer_has_is_reported(tmp_path: Path) -> None:
    order = Order(str(tmp_path / "journal"), max_gb=0.0042, segment_mb=1)
    expired: list[Gap] = []
    with journalled(order) as line:
        line.tell("frame 10")
        with complete(line, INSPECTIONS) as results:
            assert len(take(results, 5)) == 5
        line.tell("frame 3000", "durable", "frame 10", "end", "durable")
        with complete(line, INSPECTIONS, on_expired=expired.append) as results:
            given = seqs(list(results))
        assert given[-1] == 3019
        assert given == list(range(given[0], 3020))
        (gap,) = expired
        assert (gap.kind, gap.first_seq, gap.count) == (Kind.INSPECTION, 4, given[0] - 4)
        assert results.expired == results.missed == gap.count


def test_a_run_that_was_wholly_pruned_meanwhile_is_reported(tmp_path: Path) -> None:
    order = Order(str(tmp_path / "journal"), max_gb=0.0042, segment_mb=1)
    with journalled(order) as line:
        line.tell("frame 10")
        with complete(line, INSPECTIONS) as results:
            assert len(take(results, 5)) == 5
            results.acknowledge()
    for _ in range(2):  # missed, and pruned by what comes after
        with journalled(order) as line:
            line.tell("frame 10", "durable")
    expired: list[Gap] = []
    with journalled(order) as line:
        line.tell("frame 3000", "durable", "end", "durable")
        with complete(line, on_expired=expired.append) as results:
            given = list(results)
    (epoch,) = {message.epoch for message in given}
    whole = [gap for gap in expired if gap.epoch != epoch]
    assert [(gap.kind, gap.first_seq, gap.count) for gap in whole] == [
        (Kind.INSPECTION, 5, 5),
        *[(Kind.INSPECTION, 0, 10), (Kind.EVENT, 0, 1)] * 2,
    ]
    assert results.expired == sum(gap.count for gap in expired)
    with complete(line, name="new", since="oldest") as other:
        assert not other.expired


def test_without_a_journal_it_says_so_and_reports_gaps(
    order: Order, caplog: pytest.LogCaptureFixture
) -> None:
    expired: list[Gap] = []
    for without in (replace(order, journal=False), replace(order, journal=False, control=None)):
        caplog.clear()
        expired.clear()
        with journalled(without) as line:
            line.tell("frame 3")
            with complete(line, INSPECTIONS, on_expired=expired.append) as results:
                begin(line, results)
                line.tell("frame 2")
                assert seqs(take(results, 2)) == [3, 4]
                miss(line, results, 4)
                line.tell("frame 1", "end")
                assert seqs(list(results)) == [9]
                assert expired == [Gap("web-1", Kind.INSPECTION, expired[0].epoch, 5, 4)]
        assert "what is missed cannot be fetched" in caplog.text


def test_a_publisher_that_greets_nobody_has_no_journal(raw: Raw) -> None:
    with Subscriber(
        raw.endpoint, camera="web-1", mode="complete", name="a", timeout_s=PATIENCE_S
    ) as results:
        raw.wait_for_events()
        for frames in (message(3), message(5), end_message(2, 5)):
            raw.send(*frames)
        assert [m.seq for m in results] == [3, 5, 2]
        assert results.expired == 1
