"""Objects as rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from linescan.errors import JournalError
from linescan.journal import Entry
from linescan.protocol import CompletedEvent, InspectionMessage, decode
from linescan.records import WebObject
from linescan.whole import WholeObject

Cell = str | int | float | bool | None

COLUMNS: Final[dict[str, type]] = {
    "epoch": str,
    "camera": str,
    "seq": int,
    "published_ns": int,
    "acquired_ns": int,
    "frame_first_line": int,
    "frame_line_count": int,
    "model": str,
    "unit": str,
    "id": int,
    "first_line": int,
    "line_count": int,
    "first_column": int,
    "column_count": int,
    "area_px": float,
    "area_mm2": float,
    "mean_height": float,
    "max_height": float,
    "touches_start": bool,
    "touches_end": bool,
    "track": int,
}
"""Names and types. ``model``, ``unit`` (of the heights) and ``area_mm2`` may be empty."""

WHOLE_COLUMNS: Final[dict[str, type]] = {
    "epoch": str,
    "camera": str,
    "kind": str,
    "seq": int,
    "published_ns": int,
    "unit": str,
    "track": int,
    "first_line": int,
    "line_count": int,
    "first_column": int,
    "column_count": int,
    "area_px": float,
    "area_mm2": float,
    "volume_px": float,
    "volume_mm3": float,
    "mean_height": float,
    "max_height": float,
    "elongation": float,
    "extent": float,
    "cut": str,
    "merged": str,
}
"""Names and types. ``kind`` and ``seq`` are of the message that reported the object; ``unit`` (of
the heights), ``area_mm2`` and ``volume_mm3`` may be empty; ``cut`` and ``merged`` are lists,
separated by blanks."""

Rows = Callable[[Entry], Iterator[list[Cell]]]
"""Makes rows of a message."""


def rows(entry: Entry) -> Iterator[list[Cell]]:
    """A row for each object of an inspection, in the order of ``COLUMNS``.

    Raises:
        ProtocolError: the message does not follow ``linescan/1``.
    """
    message = inspection(entry)
    head: list[Cell] = [
        message.epoch,
        message.camera,
        message.seq,
        message.published_ns,
        message.acquired_ns,
        message.first_line,
        message.line_count,
        message.model.name if message.model else None,
        message.depth_map.unit if message.depth_map else None,
    ]
    for found in message.objects:
        yield [
            *head,
            found.id,
            *_place(found),
            found.mean_height,
            found.max_height,
            found.touches_start,
            found.touches_end,
            found.track,
        ]


def _place(found: WebObject | WholeObject) -> tuple[Cell, ...]:
    """Box on the web and area, in the order of both kinds of columns."""
    return (
        found.first_line,
        found.line_count,
        found.first_column,
        found.column_count,
        found.area_px,
        found.area_mm2,
    )


def whole_rows(entry: Entry) -> Iterator[list[Cell]]:
    """A row for each object that a message reports as complete, in the order of ``WHOLE_COLUMNS``.

    Raises:
        ProtocolError: the message does not follow ``linescan/1``.
    """
    message = decode(entry.frames)
    if isinstance(message, InspectionMessage):
        unit = message.depth_map.unit if message.depth_map else None
    elif isinstance(message, CompletedEvent):
        unit = message.unit
    else:
        return
    head: list[Cell] = [
        message.epoch,
        message.camera,
        str(message.kind),
        message.seq,
        message.published_ns,
        unit,
    ]
    for found in message.completed:
        yield [
            *head,
            found.track,
            *_place(found),
            found.volume_px,
            found.volume_mm3,
            found.mean_height,
            found.max_height,
            found.elongation,
            found.extent,
            " ".join(found.cut.names()),
            " ".join(map(str, found.merged)),
        ]


def inspection(entry: Entry) -> InspectionMessage:
    """The decoded inspection.

    Raises:
        ProtocolError: the message does not follow ``linescan/1``.
        JournalError: it is none.
    """
    message = decode(entry.frames)
    if not isinstance(message, InspectionMessage):
        raise JournalError(f"{entry.key}: no inspection lies there")
    return message
