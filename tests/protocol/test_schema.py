"""The JSON Schema takes what is sent, and refuses what the decoder refuses."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from linescan.errors import ProtocolError
from linescan.ledger import Ledger
from linescan.protocol import (
    DERIVED,
    WELCOME,
    Buffer,
    Kind,
    decode,
    encode,
    encode_end,
    encode_loss,
    encode_start,
    encode_welcome,
)
from linescan.protocol.schema import schema, schema_text
from linescan.records import Cause, Inspection, Loss
from tests.protocol.samples import STAMP, as_received, header_of, inspection, inspections

ANY = Draft202012Validator(schema())
KINDS = (Kind.INSPECTION, *DERIVED)


def of(name: str) -> Draft202012Validator:
    """The validator of one definition."""
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": schema()["$defs"]})


def messages() -> list[list[Buffer]]:
    totals = Ledger().totals().to_json()
    made = [encode(inspection(), kind, STAMP) for kind in KINDS]
    made += [
        encode_start(STAMP, software="s", settings={"a": 1}, settings_sha256="0"),
        encode_loss(Loss(5, 6, Cause.SHUTDOWN), STAMP),
        encode_end(STAMP, totals=totals, last_seq=3, reason="finished"),
    ]
    return [as_received(frames) for frames in made if frames is not None]


MESSAGES = messages()


def test_is_a_schema_and_small_enough_to_send() -> None:
    Draft202012Validator.check_schema(schema())
    assert len(schema_text()) < 64 << 10


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None)
@given(item=inspections())
def test_whatever_is_encoded_is_valid(kind: Kind, item: Inspection) -> None:
    frames = encode(item, kind, STAMP)
    if frames is not None:
        header = header_of(frames)
        ANY.validate(header)
        of(kind).validate(header)
        ANY.validate(header | {"new": [{"x": None}]})


@pytest.mark.parametrize("frames", MESSAGES, ids=lambda frames: header_of(frames)["type"])
def test_each_type_is_told_from_the_others(frames: list[Buffer]) -> None:
    header = header_of(frames)
    ANY.validate(header)
    types = [str(kind) for kind in KINDS] + ["start", "loss", "end", "welcome", "status"]
    foreign = [name for name in types if name != header["type"] and of(name).is_valid(header)]
    assert not foreign


def test_the_greeting_and_unknown_types() -> None:
    welcome = json.loads(encode_welcome("e", ["web-1"], "s")[len(WELCOME) :])
    ANY.validate(welcome)
    ANY.validate(header_of(MESSAGES[0]) | {"type": "newer"})
    assert not ANY.is_valid(welcome | {"type": "newer"})
    assert not ANY.is_valid(welcome | {"cameras": ["welcome"]})
    assert not ANY.is_valid({"schema": "linescan", "version": 1})


def spots(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from spots(inner, (*path, key))


def changed(header: Any, path: tuple[Any, ...], value: object) -> Any:
    """A copy with one value replaced; without it, where the value is ``...``."""
    header = copy.deepcopy(header)
    target = header
    for key in path[:-1]:
        target = target[key]
    if value is ...:
        del target[path[-1]]
    else:
        target[path[-1]] = value
    return header


@pytest.mark.parametrize("wrong", [..., True, "²", -1.5, [], {}], ids=str)
@pytest.mark.parametrize("frames", MESSAGES, ids=lambda frames: header_of(frames)["type"])
def test_refuses_each_wrong_value_that_the_decoder_refuses(
    frames: list[Buffer], wrong: object
) -> None:
    header, refused = header_of(frames), 0
    validator = of(header["type"])
    for path in spots(header):
        bad = changed(header, path, wrong)
        try:
            decode([frames[0], json.dumps(bad).encode(), *frames[2:]])
        except ProtocolError:
            refused += 1
            # What must fit something else, a schema cannot see.
            fits = path[-1] in ("nbytes", "crc32c", "camera", "epoch") or "shape" in path
            assert fits or not validator.is_valid(bad), f"{path} = {wrong!r}"
    assert refused > 5
