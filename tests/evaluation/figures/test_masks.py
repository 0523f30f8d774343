"""Masks against masks, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest

from linescan.evaluation.figures.masks import MARGIN, Overlap, mask_iou, object_free, overlaps

KNOWN = np.ones((10, 10), np.bool_)


def labels(**boxes: tuple[slice, slice]) -> np.ndarray:
    """Labels 1, 2, … of the boxes, in order."""
    made = np.zeros((10, 10), np.uint16)
    for number, box in enumerate(boxes.values(), start=1):
        made[box] = number
    return made


TRUTH = labels(low=(slice(0, 2), slice(0, 5)), high=(slice(5, 9), slice(0, 5)))  # 10 and 20 pixels
FOUND = labels(
    half=(slice(0, 1), slice(0, 7)),  # 5 of the first, 2 beside it
    most=(slice(5, 8), slice(0, 5)),  # 15 of the second
    stray=(slice(0, 1), slice(8, 10)),  # 2 of none
)


def test_pixels_are_counted_by_object() -> None:
    assert overlaps(FOUND, TRUTH, KNOWN) == [
        Overlap(0, 0, 0, 2),
        Overlap(1, 10, 5, 2),
        Overlap(2, 20, 15, 0),
    ]


def test_iou_is_that_of_the_masks() -> None:
    expected = np.sum((FOUND > 0) & (TRUTH > 0)) / np.sum((FOUND > 0) | (TRUTH > 0))
    assert mask_iou(overlaps(FOUND, TRUTH, KNOWN)) == pytest.approx(expected)
    assert mask_iou(overlaps(TRUTH, TRUTH, KNOWN)) == 1.0
    assert mask_iou([]) is None


def test_an_object_can_be_left_out_with_what_was_found_of_it() -> None:
    kept = [each for each in overlaps(FOUND, TRUTH, KNOWN) if each.id != 1]
    assert mask_iou(kept) == pytest.approx(15 / (20 + 2))


def test_unknown_pixels_do_not_count() -> None:
    known = KNOWN.copy()
    known[:5] = False
    assert overlaps(FOUND, TRUTH, known) == [Overlap(2, 20, 15, 0)]


def test_extra_pixels_belong_to_the_object_that_shares_most() -> None:
    found = labels(both=(slice(0, 9), slice(0, 5)))
    assert overlaps(found, TRUTH, KNOWN) == [Overlap(1, 10, 10, 0), Overlap(2, 20, 20, 15)]


def test_the_web_beside_an_object_is_not_free_of_it() -> None:
    truth = np.zeros((40, 40), np.uint16)
    truth[20, 20] = 7
    free = object_free(truth)
    assert not free[20, 20 + MARGIN]
    assert free[20, 21 + MARGIN]
    assert object_free(np.zeros((5, 5), np.uint16)).all()
