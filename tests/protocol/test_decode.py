"""Whatever arrives, the decoder says what is wrong, and costs no more than what arrived."""

from __future__ import annotations

import copy
import json
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from linescan.errors import ProtocolError
from linescan.protocol import (
    DERIVED,
    Buffer,
    EventMessage,
    InspectionMessage,
    Kind,
    decode,
    decode_welcome,
    encode,
    encode_end,
    encode_loss,
    encode_start,
    encode_welcome,
)
from linescan.records import Cause, Loss
from tests.protocol.samples import STAMP, as_received, header_of, inspection, with_header


def message(kind: Kind = Kind.INSPECTION) -> list[Buffer]:
    frames = encode(inspection(), kind, STAMP)
    assert frames is not None
    return as_received(frames)


TOTALS = {
    "captured": 3, "published": 2, "lost": {"shutdown": 1}, "unaccounted": 0, "phantom": 0,
    "estimated": 0, "balanced": True,
}  # fmt: skip
VALID: list[list[Buffer]] = [
    *(message(kind) for kind in (Kind.INSPECTION, *DERIVED)),
    encode_start(STAMP, software="s", settings={"a": {"b": 1}}, settings_sha256="0"),
    encode_loss(Loss(5, 6, Cause.SHUTDOWN), STAMP),
    encode_end(STAMP, totals=TOTALS, last_seq=3, reason="finished"),
]

Edit = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda h: h.pop("seq"), "header.seq is missing"),
        (lambda h: h.update(seq=-1), "header.seq: expected an integer"),
        (lambda h: h.update(seq=True), "header.seq: expected an integer"),
        (lambda h: h.update(seq=2**53), "header.seq: expected an integer"),
        (lambda h: h.update(schema="other"), "header.schema: expected 'linescan'"),
        (lambda h: h.update(version=2), "header.version: expected 1"),
        (lambda h: h.update(type="mask"), "header.type: expected 'inspection'"),
        (lambda h: h.update(camera="web-2"), "header.camera: expected 'web-1'"),
        (lambda h: h.update(published_ns=5), "header.published_ns: expected an integer in a str"),
        (lambda h: h.update(acquired_ns="9" * 20), "header.acquired_ns"),
        (lambda h: h.update(line_count=0), "header.line_count"),
        (lambda h: h.update(overlap=65), "header.overlap: expected an integer from 0 to 64"),
        (lambda h: h.update(valid=[[0, 65]]), "header.valid: expected sorted, disjoint"),
        (lambda h: h.update(valid=[[10, 5], [12, 5]]), "header.valid: expected sorted, disjoint"),
        (lambda h: h.update(encoder=["1"]), "header.encoder: expected a list of 2"),
        (lambda h: h.update(map=None), "header.map: expected an object"),
        (lambda h: h["map"].update(line_step=None), "header.map.line_step"),
        (lambda h: h["depth"].update(convention="up"), "convention: expected disparity or depth"),
        (lambda h: h["depth"].update(valid_rows=[[0, 29]]), "header.depth.valid_rows"),
        (lambda h: h["objects"][1].pop("id"), r"header.objects\[1\].id is missing"),
        (lambda h: h.update(parts=h["parts"][:1]), "part 'labels' is missing"),
        (lambda h: h.update(parts=h["parts"] * 2), "describes 4 parts, the message carries 2"),
        (lambda h: h["parts"][1].update(name="depth"), "part 'depth' is there twice"),
        (lambda h: h["parts"][0].update(dtype="object"), r"dtype: expected float32, got 'object'"),
        (lambda h: h["parts"][0].update(dtype="uint16"), "dtype: expected float32"),
        (lambda h: h["parts"][0].update(encoding="zstd"), "encoding: expected 'raw'"),
        (lambda h: h["parts"][0].update(shape=[28]), "shape: expected two positive integers"),
        (lambda h: h["parts"][0].update(shape=[28, 0]), "shape: expected two positive integers"),
        (lambda h: h["parts"][0].update(shape=[28, 43]), "nbytes: expected 4816"),
        (
            lambda h: h["parts"][0].update(shape=[2**31 - 1] * 2, nbytes=4 * (2**31 - 1) ** 2),
            "nbytes",
        ),
        (
            lambda h: h["parts"][0].update(shape=[2**20, 2**20], nbytes=2**42),
            "4704 bytes arrived, not 4398046511104",
        ),
        (lambda h: h["parts"][0].update(shape=[42, 28]), "no depth map of the same shape"),
        (lambda h: h["parts"][1].update(crc32c=1), "part 'labels' is damaged: CRC-32C"),
    ],
)
def test_names_what_is_wrong(edit: Edit, complaint: str) -> None:
    frames = message()
    header = header_of(frames)
    edit(header)
    with pytest.raises(ProtocolError, match=complaint):
        decode(with_header(frames, header))


@pytest.mark.parametrize(
    ("frames", "complaint"),
    [
        ([], "0 frames"),
        ([b"linescan/1/web-1/mask/"], "1 frames"),
        ([b"linescan/2/web-1/mask/", b"{}"], "topic"),
        ([b"linescan/1/web-1/mask", b"{}"], "topic"),
        ([b"linescan/1/web-1/nothing/", b"{}"], "unknown kind"),
        ([b"linescan/1/web 1/mask/", b"{}"], "camera name"),
        ([b"linescan/1/web-1/\xff/", b"{}"], "unknown kind"),
        ([b"x" * 300, b"{}"], "topic of 300 bytes"),
        ([b"linescan/1/web-1/mask/", b"{"], "not strict JSON"),
        ([b"linescan/1/web-1/mask/", b"\xff"], "not strict JSON"),
        ([b"linescan/1/web-1/mask/", b"[" * 100_000], "not strict JSON"),
        ([b"linescan/1/web-1/mask/", b"9" * 10_000], "not strict JSON"),
        ([b"linescan/1/web-1/mask/", b'{"a": NaN}'], "NaN is not JSON"),
        ([b"linescan/1/web-1/mask/", b"[]"], "header: expected an object"),
        ([b"linescan/1/web-1/mask/", b'{"schema": "\\ud800"}'], "header.schema"),
        ([b"linescan/1/web-1/mask/", bytes((32 << 20) + 1)], "at most 33554432"),
    ],
)
def test_names_what_is_wrong_with_the_envelope(frames: list[Buffer], complaint: str) -> None:
    with pytest.raises(ProtocolError, match=complaint):
        decode(frames)


def test_a_newer_publisher_may_add_fields_parts_and_events() -> None:
    frames = message()
    header = header_of(frames)
    header["later"] = {"x": 1}
    header["parts"].append({"name": "uncertainty", "dtype": "float8", "shape": [1, 2, 3]})
    newer = [*with_header(frames, header), b"what the part holds", b"a frame without an entry"]
    decoded = decode(newer)
    assert isinstance(decoded, InspectionMessage)
    assert decoded.header["later"] == {"x": 1}

    event = VALID[-1]
    decoded = decode(with_header(event, header_of(event) | {"type": "config_change"}))
    assert type(decoded) is EventMessage
    assert decoded.seq == STAMP.seq


def test_checksums_are_optional() -> None:
    frames = message()
    header = header_of(frames)
    for part in header["parts"]:
        part["crc32c"] = None
    assert decode(with_header(frames, header)).seq == STAMP.seq
    header["parts"][0]["crc32c"] = 1
    assert decode(with_header(frames, header), verify=False).seq == STAMP.seq


def test_damaged_bytes_are_noticed() -> None:
    frames = message()
    damaged = bytearray(frames[2])
    damaged[100] ^= 1
    frames[2] = bytes(damaged)
    with pytest.raises(ProtocolError, match="part 'depth' is damaged"):
        decode(frames)


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["", "9" * 30, "-", "float64", "object", "depth", "²", "1e5", "\ud800"]),
    st.sampled_from([0, -1, 2**31, 2**53, 2**63, 1e308, 10**400]),
)
branches = st.lists(scalars, max_size=4) | st.dictionaries(st.text(max_size=3), scalars, max_size=3)
anything = scalars | branches | st.lists(branches, max_size=3)


def spots(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of all values in a JSON document."""
    yield path
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from spots(inner, (*path, key))


def put(header: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    target = header
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return header


@st.composite
def wrong_headers(draw: st.DrawFn) -> list[Buffer]:
    """A valid message with one or two values of its header changed: it still parses as JSON."""
    frames = draw(st.sampled_from(VALID))
    header = copy.deepcopy(header_of(frames))
    for _ in range(draw(st.integers(1, 2))):
        header = put(header, draw(st.sampled_from(list(spots(header)))), draw(anything))
        if not isinstance(header, dict):
            break
    return with_header(frames, header)


@st.composite
def wrong_bytes(draw: st.DrawFn) -> list[Buffer]:
    """A valid message with bytes cut out, put in or changed, or frames lost or repeated."""
    frames = list(draw(st.sampled_from(VALID)))
    at = draw(st.integers(0, len(frames) - 1))
    data = bytes(frames[at])
    begin = draw(st.integers(0, len(data)))
    end = draw(st.integers(begin, min(len(data), begin + 9)))
    frames[at] = data[:begin] + draw(st.binary(max_size=9)) + data[end:]
    order = draw(st.lists(st.integers(0, len(frames) - 1), max_size=6))
    return frames if draw(st.booleans()) else [frames[i] for i in order]


def decode_or_complain(frames: list[Buffer]) -> None:
    """Decode; the memory it takes is in proportion to the bytes that came."""
    size = sum(len(frame) for frame in frames)
    tracemalloc.start()
    try:
        decode(frames, verify=False)
    except ProtocolError:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    # A parsed header takes some tens of times its text; arrays take nothing.
    assert peak < 64 * size + 100_000


@settings(max_examples=300, deadline=None)
@given(wrong_headers())
def test_wrong_headers_never_raise_anything_else(frames: list[Buffer]) -> None:
    decode_or_complain(frames)


@settings(max_examples=300, deadline=None)
@given(wrong_bytes())
@example([b"linescan/1/web-1/objects/", b'{"schema": "linescan"}', b""])
def test_wrong_bytes_never_raise_anything_else(frames: list[Buffer]) -> None:
    decode_or_complain(frames)


@pytest.mark.parametrize("rows", [2**20, 2**31 - 1])
def test_a_stated_size_allocates_nothing(rows: int) -> None:
    frames = message()
    header = header_of(frames)
    header["line_count"] = 2**50
    header["valid"] = [[0, 2**50]]
    header["depth"]["valid_rows"] = [[0, rows]]
    for part in header["parts"]:
        size = np.dtype(part["dtype"]).itemsize
        part.update(shape=[rows, 1024], nbytes=rows * 1024 * size)
    decode_or_complain(with_header(frames, header))
    with pytest.raises(ProtocolError, match="bytes arrived"):
        decode(with_header(frames, header))


@given(st.binary(max_size=40), st.data())
def test_wrong_welcomes(junk: bytes, data: st.DataObject) -> None:
    welcome = encode_welcome("e", ["web-1"], "linescan 1")
    at = data.draw(st.integers(0, len(welcome)))
    for frames in ([welcome[:at] + junk], [welcome[:19] + junk], [junk, junk], [welcome[:at]]):
        try:
            assert decode_welcome(frames).cameras
        except ProtocolError:
            pass
        except AssertionError:
            assert json.loads(frames[0][19:])["cameras"] == []
