"""Precision and recall count what they say they count."""

import pytest

from linescan.evaluation.detection import Box, Score, score_frame
from linescan.records import Interval

FRAME = Box(Interval(100, 100), Interval(0, 200))


def box(line: int, column: int, lines: int = 20, columns: int = 20) -> Box:
    return Box(Interval(line, lines), Interval(column, columns))


def test_boxes_that_agree_are_right_and_found() -> None:
    score = score_frame([box(110, 10), box(150, 100)], [box(110, 10), box(152, 101)], FRAME)
    assert score == Score(found=2, right=2, wanted=2, wanted_found=2)
    assert (score.precision, score.recall) == (1.0, 1.0)


def test_what_is_not_there_is_wrong_and_what_is_missed_is_missing() -> None:
    score = score_frame([box(110, 10), box(110, 150)], [box(110, 12), box(160, 60)], FRAME)
    assert score == Score(found=2, right=1, wanted=2, wanted_found=1)
    assert (score.precision, score.recall) == (0.5, 0.5)


def test_one_true_object_is_matched_once_by_the_best() -> None:
    score = score_frame([box(112, 12), box(110, 10)], [box(110, 10)], FRAME)
    assert score == Score(found=2, right=1, wanted=1, wanted_found=1)


def test_a_true_object_mostly_outside_the_frame_is_not_asked_for() -> None:
    cut = box(88, 10)
    assert score_frame([], [cut], FRAME).wanted == 0
    assert score_frame([box(100, 10, lines=8)], [cut], FRAME) == Score(found=1, right=1)


def test_the_visible_part_of_a_cut_object_is_what_counts() -> None:
    score = score_frame([box(190, 10, lines=10)], [box(190, 10, lines=18)], FRAME)
    assert score == Score(found=1, right=1, wanted=1, wanted_found=1)


def test_objects_of_other_frames_do_not_count() -> None:
    assert score_frame([], [box(300, 10), box(0, 0)], FRAME) == Score()


def test_a_poor_overlap_is_no_match() -> None:
    score = score_frame([box(110, 10)], [box(122, 22)], FRAME)
    assert score == Score(found=1, right=0, wanted=1, wanted_found=0)


def test_scores_add_up() -> None:
    total = Score(4, 3, 5, 3) + Score(1, 1, 0, 0)
    assert total == Score(5, 4, 5, 3)
    assert total.precision == pytest.approx(0.8)
    assert total.recall == pytest.approx(0.6)


def test_nothing_found_and_nothing_there_is_perfect() -> None:
    assert (Score().precision, Score().recall) == (1.0, 1.0)
