"""Messages of the data socket."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from linescan.protocol import (
    Buffer,
    Kind,
    Stamp,
    encode,
    encode_completed,
    encode_end,
    encode_loss,
    encode_start,
    encode_welcome,
)
from linescan.protocol.fields import dump_json
from linescan.records import (
    Cause,
    Completed,
    Convention,
    DepthMap,
    Frame,
    Inspection,
    Interval,
    Loss,
    ModelTag,
    Segmentation,
    WebMap,
    WebObject,
)
from linescan.whole import Cut, WholeObject
from scripts.vectors.vector import CAMERA, EPOCH, NOW, Array, Vector

FIRST, ROWS, WIDTH = 4096, 24, 16
SHAPE = (6, 8)
CONTROL: Final = "tcp://127.0.0.1:5561"
STATUS: Final = "tcp://127.0.0.1:5562"


def data_vectors() -> Iterator[Vector]:
    """All of them."""
    yield from _events()
    yield from _inspections()
    yield from _derived()


def stamp(seq: int) -> Stamp:
    """The stamp of one message."""
    return Stamp(CAMERA, EPOCH, seq, NOW + seq)


def frame() -> Frame:
    """A frame of which the first four lines were lost."""
    valid = np.arange(ROWS) >= 4
    pixels = np.arange(ROWS * WIDTH, dtype=np.uint8).reshape(ROWS, WIDTH)
    pixels[~valid] = 0
    return Frame(
        pixels=pixels,
        first_line=FIRST,
        valid=valid,
        overlap=2,
        acquired_ns=NOW - 5_000_000,
        encoder=(-9_007_199_254_740_993, 9_007_199_254_740_993),
        stamps={"stitch": NOW - 4_000_000, "depth": NOW - 1_000_000},
        flat_field="ff-3f9a0c12d4e5b678",
    )


def depth_map() -> DepthMap:
    """A slope, without values where lines were lost."""
    values = (np.arange(SHAPE[0] * SHAPE[1]) / 16 - 1).astype(np.float32).reshape(SHAPE)
    values[0] = np.nan
    web = WebMap(FIRST + 1.5, 4.0, 0.5, 2.0, 0.1, 0.05)
    valid = np.arange(SHAPE[0]) > 0
    return DepthMap(values, Convention.HEIGHT, "um", 1.5, -0.25, 0.875, valid, web)


def segmentation() -> Segmentation:
    """Two objects; the height of one is not known."""
    labels = np.zeros(SHAPE, np.uint16)
    labels[2:4, 1:3], labels[5, 6:] = 1, 2
    found = (
        WebObject(1, FIRST + 8, 8, 2, 4, 32.0, 0.5, 0.75, False, False, 0.16, 7),
        WebObject(2, FIRST + 20, 4, 12, 4, 16.0, -0.25, float("nan"), False, True, 0.08, 8),
    )
    return Segmentation(labels, {"upper": 0.41, "lower": -0.5}, found, (whole(),))


def whole(cut: Cut = Cut.NONE) -> WholeObject:
    """An object of which two parts turned out to be one."""
    return WholeObject(
        track=3,
        first_line=FIRST - 12,
        line_count=28,
        first_column=2,
        column_count=4,
        area_px=96.0,
        mean_height=0.5,
        max_height=0.75,
        volume_px=48.0,
        elongation=7.0,
        extent=0.875,
        cut=cut,
        merged=(5, 7),
        area_mm2=0.48,
        volume_mm3=0.00024,
    )


def inspection() -> Inspection:
    """All of that together."""
    tag = ModelTag("surface-tiny", "9f" * 32, "cpu")
    return Inspection(frame(), depth_map(), tag, segmentation(), "height-2026-01")


def arrays_of(item: Inspection) -> dict[str, Array]:
    """The arrays of an inspection's message."""
    arrays: dict[str, Array] = {}
    if item.depth is not None:
        arrays["depth"] = item.depth.values
    if item.segmentation is not None:
        arrays["labels"] = item.segmentation.labels
    return arrays


def _made(
    name: str, about: str, item: Inspection, kind: Kind, arrays: Mapping[str, Array], seq: int = 0
) -> Vector:
    return Vector(name, "data", about, encode(item, kind, stamp(seq)) or [], arrays=arrays)


def _inspections() -> Iterator[Vector]:
    item = inspection()
    nothing = Segmentation(np.zeros(SHAPE, np.uint16), {"upper": 0.41}, ())
    dark = replace(
        depth_map(),
        values=np.full(SHAPE, np.nan, np.float32),
        valid=np.zeros(SHAPE[0], np.bool_),
    )
    runs = (Interval(90_000, 15), Interval(90_020, 30))
    cases = {
        "inspection": ("two objects, a row of NaN, lost lines, integers beyond 2^53", item),
        "inspection-no-objects": (
            "segmentation is on and finds nothing",
            replace(item, segmentation=nothing),
        ),
        "inspection-depth-only": ("segmentation is off", replace(item, segmentation=None)),
        "inspection-bare": ("depth is off: no arrays", Inspection(item.frame)),
        "inspection-resampled": (
            "rows are not camera lines: camera_lines says which they carry",
            replace(item, frame=replace(item.frame, camera_lines=runs)),
        ),
        "inspection-all-nan": (
            "no line is valid: no value anywhere",
            replace(
                item,
                frame=replace(item.frame, valid=np.zeros(ROWS, np.bool_)),
                depth=dark,
                segmentation=nothing,
            ),
        ),
    }
    for seq, (name, (about, case)) in enumerate(cases.items()):
        yield _made(name, about, case, Kind.INSPECTION, arrays_of(case), seq)
    newer = encode(item, Kind.INSPECTION, stamp(len(cases))) or []
    yield _newer(newer, arrays_of(item))
    yield _older(encode(item, Kind.INSPECTION, stamp(len(cases) + 1)) or [], arrays_of(item))


def _older(frames: Sequence[Buffer], arrays: Mapping[str, Array]) -> Vector:
    """The same as linescan 1.0 sent it."""
    header = json.loads(bytes(frames[1]))
    del header["completed"]
    for found in header["objects"]:
        del found["track"]
    return Vector(
        "inspection-older",
        "data",
        "from a publisher that follows no objects: no track, no completed",
        [frames[0], dump_json(header), *frames[2:]],
        arrays=arrays,
    )


def _newer(frames: Sequence[Buffer], arrays: Mapping[str, Array]) -> Vector:
    """The same as a later version may send it: receivers ignore what they do not know."""
    header = json.loads(bytes(frames[1]))
    extra = {
        "name": "normals", "dtype": "float16", "shape": [2, 2, 2], "unit": None, "scale": 1.0,
        "offset": 0.0, "invalid": None, "encoding": "newer", "nbytes": 3, "crc32c": None,
    }  # fmt: skip
    header |= {"newer": {"field": [1, "ä"]}, "parts": [*header["parts"], extra]}
    header["objects"][0]["newer"] = True
    return Vector(
        "inspection-newer",
        "data",
        "fields, a part and a frame that this version does not know: they are ignored",
        [frames[0], dump_json(header), *frames[2:], b"abc", b"trailing"],
        arrays=arrays,
    )


def _derived() -> Iterator[Vector]:
    item = inspection()
    about = "made of the message 'inspection', with its number"
    depth, labels, pixels = depth_map().values, segmentation().labels, item.frame.pixels
    blosc, both = Kind.INSPECTION_BLOSC, arrays_of(item)
    yield _made("inspection.blosc", f"{about}, arrays compressed", item, blosc, both)
    yield _made("depth.f32", about, item, Kind.DEPTH_F32, {"depth": depth})
    yield _scaled(encode(item, Kind.DEPTH_U16, stamp(0)) or [], about)
    mask = np.where(labels, 255, 0).astype(np.uint8)
    yield _made("mask", about, item, Kind.MASK, {"mask": mask})
    yield _made("objects", about, item, Kind.OBJECTS, {})
    yield _made("image", f"{about}, 8 bits", item, Kind.IMAGE, {"image": pixels})
    deep = pixels.astype(np.uint16) * 257
    wide = replace(item, frame=replace(item.frame, pixels=deep))
    yield _made("image-u16", "an image of 16 bits", wide, Kind.IMAGE, {"image": deep}, 1)


def _scaled(frames: Sequence[Buffer], about: str) -> Vector:
    part = json.loads(bytes(frames[1]))["parts"][0]
    stored = np.frombuffer(frames[2], "<u2").reshape(SHAPE)
    values = (stored.astype(float) * part["scale"] + part["offset"]).astype(np.float32)
    values[stored == 0] = np.nan
    return Vector("depth.u16", "data", f"{about}, scaled", frames, arrays={"depth": values})


def _events() -> Iterator[Vector]:
    start = encode_start(
        stamp(0),
        software="linescan 1.0.0",
        settings={"camera": CAMERA, "frame": {"lines": ROWS}},
        settings_sha256="5d" * 32,
    )
    yield Vector("start", "data", "a run begins", start)
    loss = Loss(4096, 4, Cause.CAMERA_GAP, estimated=True)
    yield Vector("loss", "data", "four lines were lost", encode_loss(loss, stamp(1)))
    totals = {
        "captured": 24, "published": 20, "lost": {"camera_gap": 4}, "unaccounted": 0,
        "phantom": 0, "estimated": 4, "balanced": True,
    }  # fmt: skip
    end = encode_end(stamp(2), totals=totals, last_seq=6, reason="finished")
    yield Vector("end", "data", "a run has ended, the account balances", end)
    last = encode_completed(Completed((whole(Cut.START | Cut.END),), "um"), stamp(4))
    yield Vector("completed", "data", "the run ended in the middle of an object", last)
    header = json.loads(bytes(end[1])) | {"type": "newer", "seq": 3}
    yield Vector(
        "event-newer", "data", "an event of a type that is not known", [end[0], dump_json(header)]
    )
    welcome = encode_welcome(
        EPOCH,
        [CAMERA, "web-2"],
        "linescan 1.0.0",
        control=CONTROL,
        status=STATUS,
    )
    yield Vector("welcome", "data", "one frame: topic and JSON together", [welcome], json_at=0)
