"""What is encoded is decoded alike, whatever it is."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linescan.errors import ProtocolError
from linescan.ledger import Ledger
from linescan.protocol import (
    DERIVED,
    CompletedEvent,
    DepthMessage,
    EndEvent,
    FrameMessage,
    ImageMessage,
    InspectionMessage,
    Kind,
    LossEvent,
    MaskMessage,
    ObjectsMessage,
    Stamp,
    StartEvent,
    Welcome,
    decode,
    decode_welcome,
    encode,
    encode_completed,
    encode_end,
    encode_loss,
    encode_start,
    encode_welcome,
    topic,
)
from linescan.records import (
    Cause,
    Completed,
    DepthMap,
    Inspection,
    Interval,
    Loss,
    WebMap,
    WebObject,
)
from linescan.whole import WholeObject
from tests.protocol.samples import (
    STAMP,
    as_received,
    header_of,
    inspection,
    inspections,
    times,
    whole_objects,
)


def sent(item: Inspection, kind: Kind, stamp: Stamp = STAMP) -> FrameMessage | None:
    frames = encode(item, kind, stamp)
    if frames is None:
        return None
    message = decode(as_received(frames))
    assert isinstance(message, FrameMessage)
    assert message.stamp == stamp
    assert message.kind is kind
    return message


def same_depth(a: DepthMap | None, b: DepthMap | None) -> None:
    assert a is not None
    assert b is not None
    assert a.values.dtype == b.values.dtype == np.float32
    assert a.values.tobytes() == b.values.tobytes()  # also the bits of NaN
    np.testing.assert_array_equal(a.valid, b.valid)
    for name in ("convention", "unit", "scale", "shift", "confidence", "web"):
        assert getattr(a, name) == getattr(b, name)


@pytest.fixture(scope="module", autouse=True)
def _library_loaded() -> None:
    """Loading it takes longer than one example may."""
    encode(inspection(), Kind.INSPECTION_BLOSC, STAMP)


def same_scaled_depth(message: DepthMessage, depth: DepthMap) -> None:
    """Within half a step of the integers; NaN where not finite."""
    assert message.depth.dtype == np.float32
    assert not message.depth.flags.writeable
    finite = np.isfinite(depth.values)
    assert np.array_equal(np.isnan(message.depth), ~finite)
    np.testing.assert_array_equal(message.depth_map.valid, depth.valid)
    assert message.web == depth.web
    if finite.any():
        values = depth.values[finite].astype(float)
        rounding = np.finfo(np.float32).eps * np.abs(values).max()
        step = message.header["parts"][0]["scale"]
        error = np.abs(message.depth[finite].astype(float) - values).max()
        assert error <= step / 2 * (1 + 1e-9) + rounding


def same_objects(a: Any, b: Any) -> None:
    def plain(found: WebObject) -> tuple[Any, ...]:
        values = (getattr(found, name) for name in WebObject.__slots__)
        return tuple(None if isinstance(v, float) and math.isnan(v) else v for v in values)

    assert [plain(found) for found in a] == [plain(found) for found in b]


@pytest.mark.parametrize("kind", [Kind.INSPECTION, Kind.INSPECTION_BLOSC])
@settings(deadline=None)
@given(inspections(), st.integers(0, 2**53 - 1), times)
def test_inspection(kind: Kind, item: Inspection, seq: int, now: int) -> None:
    message = sent(item, kind, Stamp("web-1", "e", seq, now))
    assert isinstance(message, InspectionMessage)
    assert (message.first_line, message.line_count) == (
        item.frame.first_line,
        len(item.frame.valid),
    )
    assert message.lines() == item.lines()
    assert (message.overlap, message.encoder) == (item.frame.overlap, item.frame.encoder)
    assert (message.acquired_ns, message.stamps) == (item.frame.acquired_ns, item.stamps)
    assert (message.model, message.calibration_id) == (item.model, item.calibration_id)
    if item.depth is None:
        assert not any(
            part is not None for part in (message.depth, message.labels, message.mask, message.web)
        )
        assert not message.objects
        return
    same_depth(message.depth_map, item.depth)
    assert message.web == item.depth.web
    if item.segmentation is None:
        assert message.labels is message.mask is None
        return
    assert message.labels is not None
    np.testing.assert_array_equal(message.labels, item.segmentation.labels)
    np.testing.assert_array_equal(message.mask, np.where(item.segmentation.labels, 255, 0))
    same_objects(message.objects, item.segmentation.objects)
    assert message.completed == item.segmentation.completed
    assert message.segmentation is not None
    np.testing.assert_equal(message.segmentation.thresholds, item.segmentation.thresholds)


@given(st.lists(whole_objects(), max_size=3), st.sampled_from(["um", "mm", "relative"]))
def test_completed(objects: list[WholeObject], unit: str) -> None:
    message = decode(as_received(encode_completed(Completed(objects, unit), STAMP)))
    assert isinstance(message, CompletedEvent)
    assert (list(message.completed), message.unit) == (objects, unit)
    assert message.kind is Kind.EVENT


@settings(deadline=None)
@given(inspections())
def test_derived_kinds(item: Inspection) -> None:
    image = sent(item, Kind.IMAGE)
    assert isinstance(image, ImageMessage)
    assert image.image.dtype == item.frame.pixels.dtype
    np.testing.assert_array_equal(image.image, item.frame.pixels)
    np.testing.assert_array_equal(image.valid_rows(), item.frame.valid)
    assert image.web is not None
    assert (image.web.line_offset, image.web.line_step) == (item.frame.first_line, 1)

    scaled = sent(item, Kind.DEPTH_U16)
    depth, mask, objects = (sent(item, k) for k in (Kind.DEPTH_F32, Kind.MASK, Kind.OBJECTS))
    if item.depth is None:
        assert depth is scaled is mask is objects is None
        return
    assert isinstance(scaled, DepthMessage)
    same_scaled_depth(scaled, item.depth)
    assert isinstance(depth, DepthMessage)
    same_depth(depth.depth_map, item.depth)
    if item.segmentation is None:
        assert mask is objects is None
        return
    assert isinstance(mask, MaskMessage)
    assert mask.mask.dtype == np.uint8
    np.testing.assert_array_equal(mask.mask, np.where(item.segmentation.labels, 255, 0))
    assert isinstance(objects, ObjectsMessage)
    same_objects(objects.objects, item.segmentation.objects)
    assert objects.completed == item.segmentation.completed
    np.testing.assert_equal(objects.thresholds, item.segmentation.thresholds)


def test_arrays_are_read_only_views_of_what_arrived() -> None:
    frames = encode(inspection(), Kind.INSPECTION, STAMP)
    assert frames is not None
    received = [bytearray(frame) for frame in frames]
    message = decode([memoryview(frame) for frame in received])
    assert isinstance(message, InspectionMessage)
    assert message.depth is not None
    assert message.labels is not None
    received[2][:4] = np.float32(123.0).tobytes()
    assert message.depth[0, 0] == 123.0
    for array in (message.depth, message.labels):
        assert not array.flags.writeable
        assert not array.flags.owndata


def test_arrays_are_sent_from_where_they_lie() -> None:
    item = inspection()
    assert item.depth is not None
    frames = encode(item, Kind.INSPECTION, STAMP)
    assert frames is not None
    assert np.shares_memory(np.frombuffer(frames[2], np.uint8), item.depth.values)


def test_bytes_that_are_not_aligned_come_out_aligned() -> None:
    frames = encode(inspection(), Kind.INSPECTION, STAMP)
    assert frames is not None
    shifted = [frames[0], frames[1], *(memoryview(b"x" + bytes(part))[1:] for part in frames[2:])]
    message = decode(shifted)
    assert isinstance(message, InspectionMessage)
    assert message.depth is not None
    assert message.depth.flags.aligned
    assert message.depth.tobytes() == bytes(frames[2])


def test_arrays_that_are_not_contiguous_or_little_endian() -> None:
    item = inspection()
    depth = item.depth
    assert depth is not None
    odd = np.asfortranarray(depth.values).astype(">f4", order="F")
    frames = encode(replace(item, depth=replace(depth, values=odd)), Kind.DEPTH_F32, STAMP)
    assert frames is not None
    message = decode(as_received(frames))
    assert isinstance(message, DepthMessage)
    np.testing.assert_array_equal(message.depth, depth.values)


def test_start() -> None:
    settings = {"camera": "web-1", "frame": {"lines": 2048}, "ä": [1.5, None]}
    message = decode(
        encode_start(STAMP, software="linescan 1", settings=settings, settings_sha256="00")
    )
    assert isinstance(message, StartEvent)
    assert message.kind is Kind.EVENT
    assert (message.software, message.settings, message.settings_sha256) == (
        "linescan 1",
        settings,
        "00",
    )


@given(st.integers(0, 2**52), st.integers(1, 2**52), st.sampled_from(Cause), st.booleans())
def test_loss(first: int, count: int, cause: Cause, estimated: bool) -> None:
    message = decode(encode_loss(Loss(first, count, cause, estimated), STAMP))
    assert isinstance(message, LossEvent)
    assert message.lines() == (Interval(first, count),)
    assert (message.cause, message.estimated) == (cause, estimated)


@pytest.mark.parametrize("captured", [30, 31])
def test_end_carries_the_ledger(captured: int) -> None:
    ledger = Ledger()
    ledger.capture([Interval(0, captured)])
    ledger.publish([Interval(0, 20)])
    ledger.lose(Loss(20, 10, Cause.CAMERA_GAP, estimated=True))
    totals = ledger.totals()
    message = decode(encode_end(STAMP, totals=totals.to_json(), last_seq=None, reason="finished"))
    assert isinstance(message, EndEvent)
    assert message.last_seq is None
    assert message.totals.captured == captured
    assert message.totals.lost == {"camera_gap": 10}
    assert message.totals.estimated == 10
    assert message.totals.balanced == totals.balanced == (captured == 30)


def test_welcome() -> None:
    assert decode_welcome([encode_welcome("e", ["a", "b"], "linescan 1")]) == Welcome(
        "e", ("a", "b"), "linescan 1"
    )


@pytest.mark.parametrize("kind", [Kind.INSPECTION, *DERIVED])
def test_header_is_strict_json(kind: Kind) -> None:
    item = inspection()
    assert item.segmentation is not None
    bad = WebObject(1, 0, 1, 0, 1, 1.0, math.nan, math.inf, False, False)
    segmentation = type(item.segmentation)(item.segmentation.labels, {"t": -math.inf}, [bad])
    item = Inspection(item.frame, item.depth, item.model, segmentation)
    frames = encode(item, kind, STAMP)
    assert frames is not None

    def refuse(name: str) -> None:
        raise AssertionError(name)

    json.loads(bytes(frames[1]), parse_constant=refuse)
    assert decode(frames).kind is kind


def test_64_bit_integers_are_strings() -> None:
    frames = encode(inspection(), Kind.INSPECTION, STAMP)
    assert frames is not None
    header = header_of(frames)
    assert header["published_ns"] == "1790000000123456789"
    assert header["encoder"] == [str(2**60 + 1), str(2**60 + 64)]


@pytest.mark.parametrize("name", ["", "welcome", "a/b", "-a", "ü", "a" * 64, "a b"])
def test_camera_names_that_cannot_stand_in_a_topic(name: str) -> None:
    with pytest.raises(ProtocolError, match="camera name"):
        topic(name, Kind.IMAGE)


def test_what_cannot_be_sent_says_so() -> None:
    item = inspection()
    depth = item.depth
    assert depth is not None
    wide: Any = depth.values.astype(np.float64)
    with pytest.raises(ProtocolError, match=r"part 'depth'.*float64"):
        encode(replace(item, depth=replace(depth, values=wide)), Kind.INSPECTION, STAMP)
    lost = replace(depth, web=WebMap(math.nan, 1, 0, 1))
    with pytest.raises(ProtocolError, match="JSON"):
        encode(replace(item, depth=lost), Kind.INSPECTION, STAMP)
    with pytest.raises(ProtocolError, match="labels need a depth map"):
        encode(Inspection(item.frame, None, None, item.segmentation), Kind.INSPECTION, STAMP)
    with pytest.raises(ProtocolError, match="0 lines"):
        encode_loss(Loss(3, 0, Cause.SHUTDOWN), STAMP)
