"""The overlay shows the frame, and on it depth, outlines and objects at their places."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linescan.pictures import render_overlay
from linescan.pictures.annotate import CROWD, MOST_LABELS, box_of, place_labels
from linescan.pictures.drawing import Pen
from linescan.pictures.view import View
from linescan.records import Convention
from tests.pictures.maps import AMBER, AZURE, bump, depth_of, same, spread, thing, web_of

FIRST = 20480
IMAGE = np.full((840, 840), 120, np.uint8)
WEB = web_of((84, 84), IMAGE.shape, first_line=FIRST)
LABELS = np.zeros((84, 84), np.uint16)
LABELS[30:50, 30:50] = 1
SQUARE = thing(1, FIRST + 300, 300, 200, 10.0)


def test_size_and_ground() -> None:
    """Large frames keep their size; the background stays nearly gray, the object is coloured."""
    picture = render_overlay(IMAGE, depth_of(bump(), web=WEB), first_line=FIRST)
    assert picture.shape == (840, 840, 3)
    assert np.median(spread(picture[600:, 600:])) < 40
    assert np.median(spread(picture[350:450, 350:450])) > 80


def test_small_frames_are_enlarged() -> None:
    depth = depth_of(bump(), web=web_of((84, 84), (252, 252)))
    assert render_overlay(IMAGE[:252, :252], depth).shape == (756, 756, 3)


@pytest.mark.parametrize(("height", "colour"), [(10.0, AMBER), (-10.0, AZURE)])
def test_box_and_outline_are_where_the_object_is(
    height: float, colour: tuple[int, int, int]
) -> None:
    square = thing(1, FIRST + 300, 300, 200, height)
    picture = render_overlay(
        IMAGE, depth_of(bump(height=height), web=WEB), LABELS, [square], first_line=FIRST
    )
    coloured = np.abs(picture.astype(int) - colour).max(axis=2) <= 6
    rows, columns = np.nonzero(coloured[296:])
    assert rows.max() + 296 == pytest.approx(499, abs=3)
    assert (columns.min(), columns.max()) == (pytest.approx(300, abs=3), pytest.approx(499, abs=3))
    assert coloured[400, 298:303].any()
    assert not coloured[320:480, 320:480].any()


def test_the_outline_follows_the_label_not_the_box() -> None:
    labels = np.zeros((84, 84), np.uint16)
    labels[30:50, 30:40] = 1
    picture = render_overlay(
        IMAGE, depth_of(bump(height=0), web=WEB), labels, [SQUARE], first_line=FIRST
    )
    assert any(same(picture[450, x], AMBER) for x in range(396, 404))
    assert not any(same(picture[450, x], AMBER) for x in range(410, 490))


def test_the_object_s_number_and_height_are_written() -> None:
    depth = depth_of(bump(), web=WEB)
    without = render_overlay(IMAGE, depth, LABELS, [], first_line=FIRST)
    with_it = render_overlay(IMAGE, depth, LABELS, [SQUARE], first_line=FIRST)
    above = slice(250, 296)
    assert (with_it[above].min(axis=2) > 215).sum() > 60
    assert (without[above].min(axis=2) > 215).sum() == 0


def test_rows_without_lines_are_hatched() -> None:
    valid = np.ones(840, np.bool_)
    valid[700:760] = False
    picture = render_overlay(IMAGE, depth_of(bump(), web=WEB), first_line=FIRST, valid=valid)
    assert (spread(picture[700:760]) == 0).all()
    assert set(np.unique(picture[700:760])) == {96, 122}


def test_16_bit_frames_are_stretched_to_what_they_hold() -> None:
    rng = np.random.default_rng(0)
    twelve = rng.integers(100, 900, (840, 840)).astype(np.uint16)
    picture = render_overlay(twelve, depth_of(bump(height=0), web=WEB), first_line=FIRST)
    light = picture.mean(axis=2)
    assert light.min() < 60
    assert light.max() > 180


def test_without_an_image_the_depth_map_is_the_ground() -> None:
    picture = render_overlay(None, depth_of(bump(), web=WEB), LABELS, [SQUARE])
    assert picture.shape == (840, 840, 3)
    assert any(same(picture[400, x], AMBER) for x in range(296, 304))


def test_a_depth_map_without_any_value_leaves_the_frame() -> None:
    depth = depth_of(np.full((84, 84), np.nan, np.float32), web=WEB)
    picture = render_overlay(IMAGE, depth, first_line=FIRST)
    assert (spread(picture) <= 1).all()


def test_near_is_warm_for_depth_too() -> None:
    depth = depth_of(bump(height=-10), web=WEB, convention=Convention.DEPTH)
    blue, _, red = render_overlay(IMAGE, depth, first_line=FIRST)[400, 400].astype(int)
    assert red > blue + 40


def test_the_frame_is_not_written_to() -> None:
    image, values = IMAGE.copy(), bump()
    image.flags.writeable = values.flags.writeable = False
    render_overlay(image, depth_of(values, web=WEB), LABELS, [SQUARE], first_line=FIRST)


objects = st.lists(
    st.tuples(
        st.integers(-50, 2000), st.integers(-50, 2000), st.integers(1, 300), st.floats(-99, 99)
    ),
    max_size=60,
)


@settings(max_examples=40, deadline=None)
@given(objects, st.sampled_from([(400, 2000), (2000, 90), (1000, 1000)]))
def test_labels_cover_neither_each_other_nor_objects(
    given_objects: list[tuple[int, int, int, float]], size: tuple[int, int]
) -> None:
    view = View.of_image(0, *size)
    pen = Pen.for_picture(view.height, view.width)
    things = [thing(n + 1, *o) for n, o in enumerate(given_objects)]
    boxes = [box_of(o, view) for o in things]
    labels = place_labels(view, things, "um", pen)
    for left, top, right, bottom in [*boxes, *(label.place for label in labels)]:
        assert 0 <= left < right <= view.width
        assert 0 <= top < bottom <= view.height
    for n, label in enumerate(labels):
        assert not any(overlap(label.place, other.place) for other in labels[:n])
        owner = int(label.text.split()[0]) - 1
        assert not any(overlap(label.place, b) for i, b in enumerate(boxes) if i != owner)


def overlap(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def test_an_object_with_room_around_it_is_labelled() -> None:
    view = View.of_image(FIRST, 840, 840)
    (label,) = place_labels(view, [SQUARE], "relative", Pen.for_picture(840, 840))
    assert label.text == "1  +10.0"


def test_the_number_of_labels_is_bounded_and_the_largest_win() -> None:
    view = View.of_image(0, 4000, 4000)
    things = [thing(n + 1, 200 * (n // 20), 200 * (n % 20), 10 + n // 20, 5.0) for n in range(400)]
    labels = place_labels(view, things, "relative", Pen(10, 1))
    assert len(labels) == MOST_LABELS
    assert min(int(label.text.split()[0]) for label in labels) > MOST_LABELS


def test_all_of_a_crowd_get_a_box() -> None:
    places = [(20 + 80 * (n // 10), 20 + 80 * (n % 10)) for n in range(100)]
    things = [thing(n + 1, FIRST + row, column, 40, 5.0) for n, (row, column) in enumerate(places)]
    assert len(things) > CROWD
    picture = render_overlay(IMAGE, depth_of(bump(), web=WEB), None, things, first_line=FIRST)
    assert all(same(picture[row + 20, column], AMBER) for row, column in places)
