"""Objects by size and height, and false alarms."""

from __future__ import annotations

import pytest

from linescan.evaluation.detection import Box
from linescan.evaluation.figures.objects import Fate, ObjectTally, Thing, false_alarms, fates
from linescan.records import Interval

FRAME = Box(Interval(100, 100), Interval(0, 100))


def box(line: int, column: int, side: int = 10) -> Box:
    return Box(Interval(line, side), Interval(column, side))


def test_objects_are_matched_and_those_cut_in_half_are_not_asked_for() -> None:
    truth = [
        Thing(box(110, 10), 5.0, 0.4),
        Thing(box(150, 50), 9.0, 1.5),
        Thing(box(94, 80), 9.0, 1.5),  # four of ten lines lie in the frame
        Thing(box(300, 10), 9.0, 1.5),  # elsewhere
    ]
    found = [Thing(box(111, 10), 5.0, 0.3), Thing(box(180, 80), 20.0, None)]
    assert fates(found, truth, FRAME) == [
        Fate(False, True, 5.0, 0.3),
        Fate(False, False, 20.0, None),
        Fate(True, True, 5.0, 0.4),
        Fate(True, False, 9.0, 1.5),
    ]


def test_rates_are_kept_by_size_and_height() -> None:
    tally = ObjectTally()
    tally.add(
        [Fate(True, True, 5.0, 0.4), Fate(True, False, 8.0, 0.5), Fate(True, True, 99.0, 9.0)]
    )
    tally.add([Fate(False, True, 5.0, 0.4), Fate(False, False, 6.0, None)])
    assert tally.all.recall == pytest.approx(2 / 3)
    assert tally.all.precision == 0.5
    assert [rate.recall for rate in tally.by_size] == [1.0, 0.0, None, 1.0]
    assert [rate.precision for rate in tally.by_size] == [0.5, None, None, None]
    assert [rate.recall for rate in tally.by_height] == [1.0, 0.0, None, 1.0]
    assert [rate.precision for rate in tally.by_height] == [1.0, None, None, None]


def test_an_alarm_in_the_overlap_was_counted_with_the_frame_before() -> None:
    found = [box(100, 0), box(118, 0), box(150, 0)]
    assert false_alarms(found, FRAME, 20) == 2
    assert false_alarms(found, FRAME, 0) == 3
