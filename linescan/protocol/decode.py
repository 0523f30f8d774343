"""Messages from bytes: everything is checked before anything is allocated.

A header can state any size; arrays are views of the bytes that really came, so a message costs no
more memory than its own bytes and its parsed header. Two kinds cost more: ``depth.u16`` becomes
float32, and what is compressed becomes as large as its own buffer says, up to a limit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from linescan.errors import ProtocolError
from linescan.protocol.arrays import Buffer, Parts
from linescan.protocol.depth16 import INVALID, decode_depth16, fits_float32
from linescan.protocol.fields import MAX_INT, Fields, load_json
from linescan.protocol.messages import (
    CompletedEvent,
    DepthMessage,
    EndEvent,
    EndTotals,
    EventMessage,
    FrameMessage,
    ImageMessage,
    InspectionMessage,
    LossEvent,
    MaskMessage,
    Message,
    ObjectsMessage,
    Stamp,
    StartEvent,
)
from linescan.protocol.objects import read_completed, read_objects
from linescan.protocol.topics import SCHEMA, VERSION, Kind, parse_topic
from linescan.records import (
    BoolArray,
    Convention,
    DepthMap,
    FloatArray,
    Interval,
    ModelTag,
    Segmentation,
    WebMap,
)


def decode(frames: Sequence[Buffer], *, verify: bool = True) -> Message:
    """A message from its ZeroMQ frames.

    Args:
        frames: topic, JSON header, array parts; arrays of the message are views of these.
        verify: compare each array with its CRC-32C, where the message states one.

    Raises:
        ProtocolError: the message does not follow ``linescan/1``; the text names what is wrong.
    """
    if len(frames) < 2:
        raise ProtocolError(f"message of {len(frames)} frames: expected topic, header and parts")
    camera, kind = parse_topic(bytes(frames[0]))
    header = load_json(frames[1])
    fields = Fields(header, "header")
    name = _name(fields, kind)
    if fields.text("camera") != camera:
        raise fields.fail("camera", f"{camera!r}, as in the topic")
    stamp = Stamp(
        camera=camera,
        epoch=fields.text("epoch"),
        seq=fields.integer("seq"),
        published_ns=fields.big("published_ns"),
    )
    common = {"stamp": stamp, "kind": kind, "header": header}
    if kind is Kind.EVENT:
        return _EVENTS.get(name, _event)(fields, common)
    return _FRAMES[kind](fields, Parts(fields, frames[2:], verify=verify), common)


def _name(fields: Fields, kind: Kind) -> str:
    if fields.text("schema") != SCHEMA:
        raise fields.fail("schema", repr(SCHEMA))
    if fields.integer("version") != VERSION:
        raise fields.fail("version", str(VERSION))
    name = fields.text("type")
    if kind is not Kind.EVENT and name != kind:
        raise fields.fail("type", f"'{kind}', as in the topic")
    return name


Common = Mapping[str, Any]


def _event(_: Fields, common: Common) -> EventMessage:
    return EventMessage(**common)


def _start(fields: Fields, common: Common) -> StartEvent:
    return StartEvent(
        **common,
        software=fields.text("software"),
        settings=fields.mapping("settings"),
        settings_sha256=fields.text("settings_sha256"),
    )


def _loss(fields: Fields, common: Common) -> LossEvent:
    return LossEvent(
        **common,
        first_line=fields.integer("first_line"),
        count=fields.integer("count", low=1),
        cause=fields.text("cause"),
        estimated=fields.boolean("estimated"),
    )


def _completed_event(fields: Fields, common: Common) -> CompletedEvent:
    return CompletedEvent(**common, unit=fields.text("unit"), completed=read_completed(fields))


def _end(fields: Fields, common: Common) -> EndEvent:
    totals = fields.child("totals")
    lost = totals.child("lost")
    return EndEvent(
        **common,
        reason=fields.text("reason"),
        last_seq=None if fields.empty("last_seq") else fields.integer("last_seq"),
        totals=EndTotals(
            captured=totals.integer("captured"),
            published=totals.integer("published"),
            lost={cause: lost.integer(cause) for cause in totals.mapping("lost")},
            unaccounted=totals.integer("unaccounted"),
            phantom=totals.integer("phantom"),
            estimated=totals.integer("estimated"),
        ),
    )


_EVENTS: Final[Mapping[str, Callable[[Fields, Common], EventMessage]]] = {
    "start": _start,
    "loss": _loss,
    "completed": _completed_event,
    "end": _end,
}


def _frame(fields: Fields, common: Common) -> dict[str, Any]:
    first = fields.integer("first_line")
    count = fields.integer("line_count", low=1)
    stamps = fields.child("stamps")
    encoder = None if fields.empty("encoder") else fields.bigs("encoder", 2)
    return {
        **common,
        "first_line": first,
        "line_count": count,
        "valid": fields.runs("valid", first, first + count),
        "overlap": fields.integer("overlap", high=count),
        "acquired_ns": fields.big("acquired_ns"),
        "encoder": encoder,
        "stamps": {name: stamps.big(name) for name in fields.mapping("stamps")},
        "web": None if fields.empty("map") else _map(fields.child("map")),
        "model": None if fields.empty("model") else _model(fields.child("model")),
        "calibration_id": None if fields.empty("calibration_id") else fields.text("calibration_id"),
        "flat_field": None if fields.empty("flat_field") else fields.text("flat_field"),
        "flags": () if fields.empty("flags") else fields.texts("flags"),
        "camera_lines": None
        if fields.empty("camera_lines")
        else fields.runs("camera_lines", 0, MAX_INT),
    }


def _inspection(fields: Fields, parts: Parts, common: Common) -> InspectionMessage:
    frame = _frame(fields, common)
    depth = None if fields.empty("depth") else _depth(fields, frame, _values(parts))
    segmentation = None
    if not fields.empty("segmentation"):
        labels = parts.array("labels", "uint16")
        if depth is None or depth.values.shape != labels.shape:
            raise ProtocolError("part 'labels' has no depth map of the same shape beside it")
        found, completed = read_objects(fields), read_completed(fields)
        segmentation = Segmentation(labels, _thresholds(fields), found, completed)
    return InspectionMessage(**frame, depth_map=depth, segmentation=segmentation)


def _depth_f32(fields: Fields, parts: Parts, common: Common) -> DepthMessage:
    frame = _frame(fields, common)
    return DepthMessage(**frame, depth_map=_depth(fields, frame, _values(parts)))


def _depth_u16(fields: Fields, parts: Parts, common: Common) -> DepthMessage:
    frame = _frame(fields, common)
    return DepthMessage(**frame, depth_map=_depth(fields, frame, _scaled_values(parts)))


def _mask_only(fields: Fields, parts: Parts, common: Common) -> MaskMessage:
    return MaskMessage(**_frame(fields, common), mask=parts.array("mask", "uint8"))


def _objects_only(fields: Fields, _: Parts, common: Common) -> ObjectsMessage:
    frame = _frame(fields, common)
    return ObjectsMessage(
        **frame,
        objects=read_objects(fields),
        thresholds=_thresholds(fields),
        completed=read_completed(fields),
    )


def _image_only(fields: Fields, parts: Parts, common: Common) -> ImageMessage:
    message = ImageMessage(**_frame(fields, common), image=parts.array("image", "uint8", "uint16"))
    if len(message.image) != message.line_count:
        raise ProtocolError(
            f"part 'image' has {len(message.image)} rows, header.line_count is {message.line_count}"
        )
    return message


_FRAMES: Final[Mapping[Kind, Callable[[Fields, Parts, Common], FrameMessage]]] = {
    Kind.INSPECTION: _inspection,
    Kind.INSPECTION_BLOSC: _inspection,
    Kind.DEPTH_F32: _depth_f32,
    Kind.DEPTH_U16: _depth_u16,
    Kind.MASK: _mask_only,
    Kind.OBJECTS: _objects_only,
    Kind.IMAGE: _image_only,
}


def _values(parts: Parts) -> FloatArray:
    return parts.array("depth", "float32")


def _scaled_values(parts: Parts) -> FloatArray:
    entry = parts.entry("depth")
    scale, offset = entry.number("scale"), entry.number("offset")
    if not fits_float32(scale, offset):
        raise entry.fail("scale", "values that are finite as float32")
    if entry.text("invalid") != str(INVALID):
        raise entry.fail("invalid", f"'{INVALID}'")
    values = decode_depth16(parts.array("depth", "uint16"), scale, offset)
    values.flags.writeable = False
    return values


def _depth(fields: Fields, frame: Mapping[str, Any], values: FloatArray) -> DepthMap:
    depth = fields.child("depth")
    try:
        convention = Convention(depth.text("convention"))
    except ValueError:
        raise depth.fail("convention", " or ".join(Convention)) from None
    if frame["web"] is None:
        raise fields.fail("map", "an object, as there is depth")
    return DepthMap(
        values=values,
        convention=convention,
        unit=depth.text("unit"),
        scale=depth.number("scale"),
        shift=depth.number("shift"),
        confidence=depth.number_or_none("confidence"),
        valid=_flags(depth.runs("valid_rows", 0, len(values)), len(values)),
        web=frame["web"],
    )


def _flags(runs: Sequence[Interval], rows: int) -> BoolArray:
    flags = np.zeros(rows, dtype=np.bool_)
    for run in runs:
        flags[run.first : run.end] = True
    flags.flags.writeable = False
    return flags


def _map(fields: Fields) -> WebMap:
    return WebMap(
        line_offset=fields.number("line_offset"),
        line_step=fields.number("line_step"),
        column_offset=fields.number("column_offset"),
        column_step=fields.number("column_step"),
        mm_per_line=fields.number_or_none("mm_per_line"),
        mm_per_column=fields.number_or_none("mm_per_column"),
    )


def _model(fields: Fields) -> ModelTag:
    return ModelTag(fields.text("name"), fields.text("sha256"), fields.text("engine"))


def _thresholds(fields: Fields) -> dict[str, float]:
    segmentation = fields.child("segmentation")
    thresholds = segmentation.child("thresholds")
    return {name: thresholds.number_or_nan(name) for name in segmentation.mapping("thresholds")}
