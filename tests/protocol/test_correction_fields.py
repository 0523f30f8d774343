"""What correction adds to the header: there where it was used, null elsewhere, optional."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from linescan.errors import ProtocolError
from linescan.protocol import DERIVED, FrameMessage, Kind, decode, encode
from linescan.records import BlockFlag, Interval
from tests.protocol.samples import STAMP, inspection

LINES = (Interval(40, 30), Interval(75, 20))


def message(kind: Kind, **changes: Any) -> tuple[dict[str, Any], list[bytes]]:
    """The header and all frames of an inspection whose frame was changed."""
    item = inspection()
    item = dataclasses.replace(item, frame=dataclasses.replace(item.frame, **changes))
    frames = encode(item, kind, STAMP)
    assert frames is not None
    raw = [bytes(frame) for frame in frames]
    return json.loads(raw[1]), raw


@pytest.mark.parametrize("kind", [Kind.INSPECTION, *DERIVED])
def test_a_corrected_frame_says_so_on_every_kind(kind: Kind) -> None:
    valid = np.ones(64, np.bool_)
    valid[10:12] = False
    flags = BlockFlag.ENCODER_REVERSED | BlockFlag.TRAVEL_SKIPPED
    header, raw = message(kind, flat_field="ff-1", flags=flags, camera_lines=LINES, valid=valid)
    assert header["camera_lines"] == [[40, 30], [75, 20]]
    got = decode(raw)
    assert isinstance(got, FrameMessage)
    assert got.flat_field == "ff-1"
    assert got.flags == ("encoder_reversed", "travel_skipped")
    assert got.lines() == got.camera_lines == LINES
    assert got.valid == (Interval(0, 10), Interval(12, 52)), "rows, not lines"


def test_a_frame_as_it_came_says_nothing() -> None:
    header, raw = message(Kind.INSPECTION)
    assert (header["flat_field"], header["flags"], header["camera_lines"]) == (None, [], None)
    got = decode(raw)
    assert isinstance(got, FrameMessage)
    assert got.lines() == got.valid


def test_a_publisher_that_does_not_know_the_fields_is_understood() -> None:
    header, raw = message(Kind.INSPECTION)
    for key in ("flat_field", "flags", "camera_lines"):
        del header[key]
    got = decode([raw[0], json.dumps(header).encode(), *raw[2:]])
    assert isinstance(got, FrameMessage)
    assert (got.flat_field, got.flags, got.camera_lines) == (None, (), None)


@pytest.mark.parametrize(
    ("key", "value"),
    [("flags", "reversed"), ("flags", [1]), ("camera_lines", [[5, 2], [6, 1]]), ("flat_field", 7)],
)
def test_wrong_values_are_named(key: str, value: object) -> None:
    header, raw = message(Kind.INSPECTION)
    header[key] = value
    with pytest.raises(ProtocolError, match=rf"header\.{key}: expected"):
        decode([raw[0], json.dumps(header).encode(), *raw[2:]])
