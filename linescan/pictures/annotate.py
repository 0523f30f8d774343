"""Boxes around objects, and labels where there is room for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from linescan.pictures.colours import RAISED, SUNK, Bgr, BgrArray
from linescan.pictures.drawing import LEAST_TEXT, Pen, number, plate, unit_name
from linescan.pictures.opencv import load_cv2
from linescan.pictures.view import View
from linescan.records import WebObject

MOST_LABELS = 200
"""So many of the largest objects may get a label; all get a box."""
CROWD = 30
"""With more objects than this the labels and lines are smaller."""

Rectangle = tuple[int, int, int, int]
"""Left, top, right, bottom; right and bottom are outside."""


def draw_objects(
    picture: BgrArray, view: View, objects: Sequence[WebObject], unit: str, pen: Pen
) -> None:
    """Draw all boxes, and name and height of the largest objects as far as there is room.

    An object's name is ``#`` and its track, or its id where it has none. A label never covers
    another label or another object's box; where the height does not fit the name stands alone.
    """
    cv2 = load_cv2()
    if len(objects) > CROWD:
        pen = Pen(max(LEAST_TEXT, pen.text * 2 // 3), max(1, pen.line * 2 // 3))
    for o in objects:
        left, top, right, bottom = box_of(o, view)
        corners = (left, top), (right - 1, bottom - 1)
        cv2.rectangle(picture, *corners, side_colour(o), pen.line)
    for label in place_labels(view, objects, unit, pen):
        _draw_label(picture, label, pen)


@dataclass(frozen=True, slots=True)
class Label:
    """A text and where it stands."""

    text: str
    place: Rectangle
    colour: Bgr


def place_labels(view: View, objects: Sequence[WebObject], unit: str, pen: Pen) -> list[Label]:
    """Find room for labels, the largest objects first."""
    suffix = "" if unit == "relative" else f" {unit_name(unit)}"
    taken = np.array([box_of(o, view) for o in objects], np.int64).reshape(-1, 4)
    labels: list[Label] = []
    order = sorted(range(len(objects)), key=lambda n: (-objects[n].area_px, n))
    for n in order[:MOST_LABELS]:
        o = objects[n]
        name = f"#{o.track}" if o.track else f"{o.id}"
        for text in (f"{name}  {number(o.max_height, sign=True)}{suffix}", name):
            place = _place(n, taken, _size(text, pen), pen, view)
            if place is not None:
                taken = np.vstack([taken, place])
                labels.append(Label(text, place, side_colour(o)))
                break
    return labels


def box_of(o: WebObject, view: View) -> Rectangle:
    """An object's box in picture pixels, inside the picture and never empty."""
    top, left = view.at(o.first_line - 0.5, o.first_column - 0.5)
    bottom, right = view.at(
        o.first_line + o.line_count - 0.5, o.first_column + o.column_count - 0.5
    )
    x, y = min(max(round(left), 0), view.width - 1), min(max(round(top), 0), view.height - 1)
    return (
        x,
        y,
        min(max(round(right), x + 1), view.width),
        min(max(round(bottom), y + 1), view.height),
    )


def side_colour(o: WebObject) -> Bgr:
    """Amber for raised, azure for sunk."""
    return SUNK if o.max_height < 0 else RAISED


def _size(text: str, pen: Pen) -> tuple[int, int]:
    return pen.extent(text)[0] + pen.text + pen.text // 2, 2 * pen.text


def _place(
    n: int,
    taken: npt.NDArray[np.int64],
    size: tuple[int, int],
    pen: Pen,
    view: View,
) -> Rectangle | None:
    """Above object ``n``, below it, beside it, or inside a large one; None without room."""
    left, top, right, bottom = (int(v) for v in taken[n])
    width, height = size
    gap = pen.line
    low, high = top - height - gap, bottom + gap
    places = [(left, low), (right - width, low), (left, high), (right - width, high)]
    places += [(right + gap, top), (left - width - gap, top)]
    others = np.delete(taken, n, axis=0)
    if bottom - top > 3 * height and right - left > width + 2 * gap:
        places.append((left + 2 * gap, top + 2 * gap))
    for x, y in places:
        if x < 0 or y < 0 or x + width > view.width or y + height > view.height:
            continue
        beside = (others[:, 0] >= x + width) | (others[:, 2] <= x)
        beside |= (others[:, 1] >= y + height) | (others[:, 3] <= y)
        if beside.all():
            return x, y, x + width, y + height
    return None


def _draw_label(picture: BgrArray, label: Label, pen: Pen) -> None:
    left, top, right, bottom = label.place
    plate(picture, left, top, right, bottom)
    picture[top:bottom, left : left + pen.text // 3] = label.colour
    pen.write(picture, label.text, (left + pen.text * 5 // 6, bottom - pen.text // 2))
