"""Records as messages: topic, JSON header, raw array parts (no copy of contiguous arrays)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import numpy.typing as npt

from linescan.errors import ProtocolError
from linescan.protocol.arrays import Buffer, Part, compressed, describe
from linescan.protocol.checksum import Frames
from linescan.protocol.depth16 import INVALID, encode_depth16
from linescan.protocol.fields import dump_json
from linescan.protocol.messages import Stamp, mask_of
from linescan.protocol.objects import number_json, object_json, whole_json
from linescan.protocol.topics import SCHEMA, VERSION, Kind, topic
from linescan.records import (
    Completed,
    DepthMap,
    Inspection,
    Interval,
    Loss,
    Segmentation,
    WebMap,
    true_runs,
)

Json = dict[str, Any]


def encode(inspection: Inspection, kind: Kind, stamp: Stamp) -> list[Buffer] | None:
    """An inspection as a message of any kind but ``event``; None where it has nothing of that kind.

    The arrays of the inspection must never be written to again: they are sent from where they lie.

    Raises:
        ProtocolError: the inspection holds what the protocol has no place for.
    """
    content = _CONTENTS[kind](inspection)
    if content is None:
        return None
    fields, parts = content
    header = {**_common(str(kind), stamp), **_frame(inspection), **fields}
    header["parts"] = [entry for entry, _ in parts]
    frames: list[Buffer] = [topic(stamp.camera, kind), dump_json(header)]
    sums = [entry["crc32c"] for entry, _ in parts]
    known = {len(frames) + i: crc for i, crc in enumerate(sums) if crc is not None}
    return Frames([*frames, *(data for _, data in parts)], known)


def encode_start(
    stamp: Stamp, *, software: str, settings: Mapping[str, Any], settings_sha256: str
) -> list[Buffer]:
    """The event that begins a run.

    Raises:
        ProtocolError: the settings cannot be written as JSON.
    """
    fields = {
        "software": software,
        "settings": dict(settings),
        "settings_sha256": settings_sha256,
    }
    return _event("start", stamp, fields)


def encode_loss(loss: Loss, stamp: Stamp) -> list[Buffer]:
    """The event that reports lost lines.

    Raises:
        ProtocolError: the loss has no lines.
    """
    if loss.count < 1:
        raise ProtocolError(f"a loss of {loss.count} lines cannot be reported")
    fields = {
        "first_line": loss.first_line,
        "count": loss.count,
        "cause": str(loss.cause),
        "estimated": loss.estimated,
    }
    return _event("loss", stamp, fields)


def encode_completed(completed: Completed, stamp: Stamp) -> list[Buffer]:
    """The event that reports objects which became complete without a frame of their own.

    Raises:
        ProtocolError: an object holds what the protocol has no place for.
    """
    objects = [whole_json(found) for found in completed.objects]
    return _event("completed", stamp, {"unit": completed.unit, "completed": objects})


def encode_end(
    stamp: Stamp, *, totals: Mapping[str, Any], last_seq: int | None, reason: str
) -> list[Buffer]:
    """The event that ends a run; ``totals`` as ``linescan.ledger.Totals.to_json`` gives them."""
    fields = {"reason": reason[:1024], "last_seq": last_seq, "totals": dict(totals)}
    return _event("end", stamp, fields)


def _event(name: str, stamp: Stamp, fields: Json) -> list[Buffer]:
    header = {**_common(name, stamp), **fields, "parts": []}
    return [topic(stamp.camera, Kind.EVENT), dump_json(header)]


def _common(name: str, stamp: Stamp) -> Json:
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "type": name,
        "epoch": stamp.epoch,
        "seq": stamp.seq,
        "camera": stamp.camera,
        "published_ns": str(stamp.published_ns),
    }


def _frame(inspection: Inspection) -> Json:
    frame, model = inspection.frame, inspection.model
    tag = None
    if model is not None:
        tag = {"name": model.name, "sha256": model.sha256, "engine": model.engine}
    return {
        "first_line": frame.first_line,
        "line_count": len(frame.valid),
        "valid": _runs(
            [Interval(frame.first_line + r.first, r.count) for r in true_runs(frame.valid)]
        ),
        "overlap": frame.overlap,
        "acquired_ns": str(frame.acquired_ns),
        "encoder": None if frame.encoder is None else [str(int(t)) for t in frame.encoder],
        "stamps": {name: str(ns) for name, ns in inspection.stamps.items()},
        "model": tag,
        "calibration_id": inspection.calibration_id,
        "flat_field": frame.flat_field,
        "flags": [str(flag.name).lower() for flag in frame.flags],
        "camera_lines": None if frame.camera_lines is None else _runs(frame.camera_lines),
    }


def _inspection(inspection: Inspection) -> tuple[Json, list[Part]]:
    depth, segmentation = inspection.depth, inspection.segmentation
    fields: Json = {
        "map": None,
        "depth": None,
        "segmentation": None,
        "objects": [],
        "completed": [],
    }
    parts: list[Part] = []
    if depth is not None:
        fields |= {"map": _map(depth.web), "depth": _depth(depth)}
        parts.append(_depth_f32(depth))
    if segmentation is not None:
        if depth is None or segmentation.labels.shape != depth.values.shape:
            raise ProtocolError("labels need a depth map of the same shape")
        fields |= _objects(segmentation)
        parts.append(describe("labels", segmentation.labels))
    return fields, parts


def _inspection_blosc(inspection: Inspection) -> tuple[Json, list[Part]]:
    fields, parts = _inspection(inspection)
    return fields, [compressed(part) for part in parts]


def _depth_only(
    inspection: Inspection, part: Callable[[DepthMap], Part]
) -> tuple[Json, list[Part]] | None:
    depth = inspection.depth
    if depth is None:
        return None
    return {"map": _map(depth.web), "depth": _depth(depth)}, [part(depth)]


def _mask_only(inspection: Inspection) -> tuple[Json, list[Part]] | None:
    depth, segmentation = inspection.depth, inspection.segmentation
    if depth is None or segmentation is None:
        return None
    return {"map": _map(depth.web)}, [describe("mask", mask_of(segmentation.labels))]


def _objects_only(inspection: Inspection) -> tuple[Json, list[Part]] | None:
    segmentation = inspection.segmentation
    return None if segmentation is None else ({"map": None, **_objects(segmentation)}, [])


def _image_only(inspection: Inspection) -> tuple[Json, list[Part]]:
    depth = inspection.depth
    web = WebMap(
        line_offset=inspection.frame.first_line,
        line_step=1.0,
        column_offset=0.0,
        column_step=1.0,
        mm_per_line=None if depth is None else depth.web.mm_per_line,
        mm_per_column=None if depth is None else depth.web.mm_per_column,
    )
    return {"map": _map(web)}, [describe("image", _pixels(inspection))]


def _depth_f32(depth: DepthMap) -> Part:
    return describe("depth", depth.values, unit=depth.unit, invalid="nan")


def _depth_u16(depth: DepthMap) -> Part:
    pixels, scale, offset = encode_depth16(depth.values)
    return describe(
        "depth", pixels, unit=depth.unit, scale=scale, offset=offset, invalid=str(INVALID)
    )


_CONTENTS: Final[Mapping[Kind, Callable[[Inspection], tuple[Json, list[Part]] | None]]] = {
    Kind.INSPECTION: _inspection,
    Kind.INSPECTION_BLOSC: _inspection_blosc,
    Kind.DEPTH_F32: partial(_depth_only, part=_depth_f32),
    Kind.DEPTH_U16: partial(_depth_only, part=_depth_u16),
    Kind.MASK: _mask_only,
    Kind.OBJECTS: _objects_only,
    Kind.IMAGE: _image_only,
}


def _pixels(inspection: Inspection) -> npt.NDArray[Any]:
    pixels = inspection.frame.pixels
    if len(pixels) != len(inspection.frame.valid):
        raise ProtocolError(
            f"the frame has {len(pixels)} rows and {len(inspection.frame.valid)} validity flags"
        )
    return pixels


def _depth(depth: DepthMap) -> Json:
    return {
        "convention": str(depth.convention),
        "unit": depth.unit,
        "scale": float(depth.scale),
        "shift": float(depth.shift),
        "confidence": None if depth.confidence is None else float(depth.confidence),
        "valid_rows": _runs(true_runs(depth.valid)),
    }


def _map(web: WebMap) -> Json:
    return {
        "line_offset": float(web.line_offset),
        "line_step": float(web.line_step),
        "column_offset": float(web.column_offset),
        "column_step": float(web.column_step),
        "mm_per_line": None if web.mm_per_line is None else float(web.mm_per_line),
        "mm_per_column": None if web.mm_per_column is None else float(web.mm_per_column),
    }


def _objects(segmentation: Segmentation) -> Json:
    thresholds = {name: number_json(value) for name, value in segmentation.thresholds.items()}
    return {
        "segmentation": {"thresholds": thresholds},
        "objects": [object_json(found) for found in segmentation.objects],
        "completed": [whole_json(found) for found in segmentation.completed],
    }


def _runs(runs: tuple[Interval, ...] | list[Interval]) -> list[list[int]]:
    return [[run.first, run.count] for run in runs]
