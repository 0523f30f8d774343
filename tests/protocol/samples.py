"""Inspections to send: made by hand or drawn by hypothesis."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from linescan.protocol import Buffer, Stamp
from linescan.records import (
    Convention,
    DepthMap,
    Frame,
    Inspection,
    ModelTag,
    Segmentation,
    WebMap,
    WebObject,
)
from linescan.whole import Cut, WholeObject

STAMP = Stamp("web-1", "0b0e5d9e-6c5c-4b0e-9a53-8a34a1f0c001", 7, 1_790_000_000_123_456_789)

names = st.text(st.characters(codec="utf-8"), max_size=20)
finite = st.floats(allow_nan=False, allow_infinity=False)
times = st.integers(0, 2**63 - 1)
lines = st.integers(0, 2**52)


def inspection(
    first_line: int = 0,
    rows: int = 64,
    width: int = 48,
    *,
    overlap: int = 0,
    size: tuple[int, int] = (28, 42),
    objects: int = 2,
    with_depth: bool = True,
    with_labels: bool = True,
) -> Inspection:
    """A plausible inspection; content follows from ``first_line``."""
    rng = np.random.default_rng(first_line)
    frame = Frame(
        pixels=rng.integers(0, 255, (rows, width), dtype=np.uint8),
        first_line=first_line,
        valid=np.ones(rows, dtype=np.bool_),
        overlap=overlap,
        acquired_ns=1_790_000_000_000_000_001,
        encoder=(2**60 + 1, 2**60 + rows),
        stamps={"stitching": 1_790_000_000_000_000_002},
    )
    if not with_depth:
        return Inspection(frame)
    web = WebMap(first_line + 0.5, rows / size[0], 0.25, width / size[1], 0.1, 0.05)
    values = rng.random(size, dtype=np.float32)
    depth = DepthMap(
        values, Convention.DISPARITY, "relative", 1.5, -0.25, 0.9, np.ones(size[0], np.bool_), web
    )
    segmentation = None
    if with_labels:
        labels = np.zeros(size, dtype=np.uint16)
        found = []
        for i in range(1, objects + 1):
            labels[i, i : i + 5] = i
            found.append(WebObject(i, first_line + i, 1, i, 5, 5.0, 0.5, 0.75, False, False, 0.25))
        segmentation = Segmentation(labels, {"upper": 0.4, "lower": -0.4}, found)
    tag = ModelTag("surface-tiny", "ab" * 32, "cpu")
    return Inspection(frame, depth, tag, segmentation, "height-2025-01")


@st.composite
def web_objects(draw: st.DrawFn) -> WebObject:
    heights = st.one_of(finite, st.just(math.nan))
    return WebObject(
        id=draw(st.integers(1, 65535)),
        first_line=draw(lines),
        line_count=draw(st.integers(0, 4096)),
        first_column=draw(st.integers(0, 16384)),
        column_count=draw(st.integers(0, 16384)),
        area_px=draw(finite),
        mean_height=draw(heights),
        max_height=draw(heights),
        touches_start=draw(st.booleans()),
        touches_end=draw(st.booleans()),
        area_mm2=draw(st.none() | finite),
        track=draw(lines),
    )


@st.composite
def whole_objects(draw: st.DrawFn) -> WholeObject:
    return WholeObject(
        track=draw(lines),
        first_line=draw(lines),
        line_count=draw(lines),
        first_column=draw(st.integers(0, 16384)),
        column_count=draw(st.integers(0, 16384)),
        area_px=draw(finite),
        mean_height=draw(finite),
        max_height=draw(finite),
        volume_px=draw(finite),
        elongation=draw(finite),
        extent=draw(finite),
        cut=Cut(draw(st.integers(0, sum(flag.value for flag in Cut)))),
        merged=tuple(draw(st.lists(lines, max_size=3))),
        area_mm2=draw(st.none() | finite),
        volume_mm3=draw(st.none() | finite),
    )


@st.composite
def inspections(draw: st.DrawFn) -> Inspection:
    """Any inspection that the pipeline could make, small."""
    rows, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    frame = Frame(
        pixels=draw(hnp.arrays(draw(st.sampled_from([np.uint8, np.uint16])), (rows, width))),
        first_line=draw(lines),
        valid=draw(hnp.arrays(np.bool_, rows)),
        overlap=draw(st.integers(0, rows)),
        acquired_ns=draw(times),
        encoder=draw(st.none() | st.tuples(*[st.integers(-(2**63) + 1, 2**63 - 1)] * 2)),
        stamps=draw(st.dictionaries(names, times, max_size=3)),
    )
    if not draw(st.booleans()):
        return Inspection(frame)
    h, w = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    depth = DepthMap(
        values=draw(hnp.arrays(np.float32, (h, w))),
        convention=draw(st.sampled_from(Convention)),
        unit=draw(st.sampled_from(["relative", "um", "mm"])),
        scale=draw(finite),
        shift=draw(finite),
        confidence=draw(st.none() | st.floats(0, 1)),
        valid=draw(hnp.arrays(np.bool_, h)),
        web=WebMap(*draw(st.tuples(*[finite] * 4, *[st.none() | finite] * 2))),
    )
    segmentation = None
    if draw(st.booleans()):
        segmentation = Segmentation(
            labels=draw(hnp.arrays(np.uint16, (h, w))),
            thresholds=draw(st.dictionaries(names, finite | st.just(math.nan), max_size=3)),
            objects=tuple(draw(st.lists(web_objects(), max_size=3))),
            completed=tuple(draw(st.lists(whole_objects(), max_size=3))),
        )
    model = draw(st.none() | st.builds(ModelTag, names, names, names))
    return Inspection(frame, depth, model, segmentation, draw(st.none() | names))


def as_received(frames: list[Buffer]) -> list[Buffer]:
    """The frames as a receiver holds them: bytes of its own."""
    return [bytes(frame) for frame in frames]


def header_of(frames: list[Buffer]) -> dict[str, Any]:
    header: dict[str, Any] = json.loads(bytes(frames[1]))
    return header


def with_header(frames: list[Buffer], header: object) -> list[Buffer]:
    return [frames[0], json.dumps(header).encode(), *frames[2:]]
