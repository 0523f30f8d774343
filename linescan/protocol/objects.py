"""Objects in headers, written and read."""

from __future__ import annotations

import math
from typing import Any

from linescan.protocol.fields import MAX_INT64, Fields
from linescan.records import WebObject
from linescan.whole import Cut, WholeObject

Json = dict[str, Any]


def object_json(found: WebObject) -> Json:
    """An object of a frame."""
    return {
        "id": int(found.id),
        **_place_json(found),
        "mean_height": number_json(found.mean_height),
        "max_height": number_json(found.max_height),
        "touches_start": bool(found.touches_start),
        "touches_end": bool(found.touches_end),
        "track": int(found.track),
    }


def whole_json(found: WholeObject) -> Json:
    """A complete object."""
    return {
        "track": int(found.track),
        **_place_json(found),
        "volume_px": number_json(found.volume_px),
        "volume_mm3": None if found.volume_mm3 is None else number_json(found.volume_mm3),
        "mean_height": number_json(found.mean_height),
        "max_height": number_json(found.max_height),
        "elongation": number_json(found.elongation),
        "extent": number_json(found.extent),
        "cut": found.cut.names(),
        "merged": [int(number) for number in found.merged],
    }


def _place_json(found: WebObject | WholeObject) -> Json:
    """Box on the web and area, in the order of the header."""
    return {
        "first_line": int(found.first_line),
        "line_count": int(found.line_count),
        "first_column": int(found.first_column),
        "column_count": int(found.column_count),
        "area_px": number_json(found.area_px),
        "area_mm2": None if found.area_mm2 is None else number_json(found.area_mm2),
    }


def number_json(value: float) -> float | None:
    """JSON has no NaN: null stands for it."""
    return float(value) if math.isfinite(value) else None


def read_objects(fields: Fields) -> tuple[WebObject, ...]:
    """The objects of a frame."""
    return tuple(_read_object(entry) for entry in fields.children("objects"))


def _read_object(fields: Fields) -> WebObject:
    return WebObject(
        id=fields.integer("id", high=MAX_INT64),
        first_line=fields.integer("first_line"),
        line_count=fields.integer("line_count"),
        first_column=fields.integer("first_column"),
        column_count=fields.integer("column_count"),
        area_px=fields.number_or_nan("area_px"),
        mean_height=fields.number_or_nan("mean_height"),
        max_height=fields.number_or_nan("max_height"),
        touches_start=fields.boolean("touches_start"),
        touches_end=fields.boolean("touches_end"),
        area_mm2=fields.number_or_none("area_mm2"),
        track=0 if fields.empty("track") else fields.integer("track"),
    )


def read_completed(fields: Fields) -> tuple[WholeObject, ...]:
    """Complete objects; earlier publishers send none."""
    if fields.empty("completed"):
        return ()
    return tuple(_read_whole(entry) for entry in fields.children("completed"))


def _read_whole(fields: Fields) -> WholeObject:
    return WholeObject(
        track=fields.integer("track"),
        first_line=fields.integer("first_line"),
        line_count=fields.integer("line_count"),
        first_column=fields.integer("first_column"),
        column_count=fields.integer("column_count"),
        area_px=fields.number_or_nan("area_px"),
        mean_height=fields.number_or_nan("mean_height"),
        max_height=fields.number_or_nan("max_height"),
        volume_px=fields.number_or_nan("volume_px"),
        elongation=fields.number_or_nan("elongation"),
        extent=fields.number_or_nan("extent"),
        cut=Cut.named(fields.texts("cut")),
        merged=fields.integers("merged"),
        area_mm2=fields.number_or_none("area_mm2"),
        volume_mm3=fields.number_or_none("volume_mm3"),
    )
