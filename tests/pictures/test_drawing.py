"""Numbers and ticks read well at any size."""

import cv2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from linescan.pictures.drawing import Pen, number, tick_labels, ticks, unit_name

finite = st.floats(-1e6, 1e6)


@given(finite, finite, st.integers(2, 12))
def test_ticks_are_round_ascending_and_inside(low: float, high: float, most: int) -> None:
    assume(high - low > 1e-6 * max(abs(low), abs(high), 1e-3))
    found = ticks(low, high, most)
    slack = 1e-6 * (high - low)
    assert len(found) <= most + 1
    assert all(low - slack <= t <= high + slack for t in found)
    steps = np.diff(found)
    if steps.size:
        step = steps[0]
        assert np.allclose(steps, step)
        mantissa = step / 10.0 ** np.floor(np.log10(step) + 1e-9)
        assert min(abs(mantissa - m) for m in (1, 2, 5, 10)) < 1e-3
    if len(found) > 1:
        assert len(set(tick_labels(found))) == len(found)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (19.04, "+19.0"),
        (-7.756, "-7.76"),
        (0.00456, "+0.00456"),
        (1234.5, "+1234"),
        (2.5e9, "+2.50e+09"),
        (1e-9, "+1.00e-09"),
        (0.0, "0"),
    ],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value, sign=True) == text


def test_tick_labels_have_no_negative_zero_and_equal_decimals() -> None:
    assert tick_labels([-0.5, -0.0, 0.5]) == ["-0.5", "0.0", "0.5"]
    assert tick_labels([0.0, 20.0, 40.0]) == ["0", "20", "40"]
    assert tick_labels([]) == []


def test_text_grows_with_the_picture_and_is_never_tiny() -> None:
    sizes = [Pen.for_picture(side, 2 * side) for side in (30, 252, 640, 2048, 4096)]
    assert [p.text for p in sizes] == sorted(p.text for p in sizes)
    assert min(p.text for p in sizes) >= 10
    assert sizes[-1].text > 80
    assert sizes[-1].line > sizes[0].line


def test_text_is_drawn_as_large_as_asked_for() -> None:
    picture = np.zeros((200, 600, 3), np.uint8)
    pen = Pen(60, 4)
    pen.write(picture, "80", (20, 150))
    rows, columns = np.nonzero(picture.max(axis=2) > 100)
    assert 0.7 * pen.text < np.ptp(rows) + 1 < 1.1 * pen.text
    assert np.ptp(columns) + 1 <= pen.extent("80")[0] + 4


def test_micrometres_where_the_font_has_the_letter() -> None:
    assert unit_name("um") == ("µm" if int(cv2.__version__.split(".")[0]) >= 5 else "um")
    assert unit_name("mm") == "mm"
