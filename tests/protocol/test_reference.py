"""The reference page: names every field, and its examples are true."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from linescan.client.replies import decode_reply
from linescan.ledger import Ledger
from linescan.protocol import (
    DERIVED,
    WELCOME,
    EndEvent,
    Kind,
    decode,
    decode_welcome,
    encode,
    encode_end,
    encode_loss,
    encode_start,
    topic,
)
from linescan.protocol.schema import schema
from linescan.records import Cause, Convention, Loss
from tests.protocol.samples import STAMP, header_of, inspection
from tests.protocol.vectors import VECTORS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "protocol.md"
PUBLISHING = PAGE.parents[2] / "linescan" / "publishing"
TEXT = PAGE.read_text(encoding="utf-8")


def names(value: Any) -> set[str]:
    """Keys of a header, at any depth, but for those that are data."""
    if isinstance(value, list):
        return {name for item in value for name in names(item)}
    if not isinstance(value, dict):
        return set()
    free = ("stamps", "thresholds", "settings", "lost")
    return set(value) | {n for key, v in value.items() if key not in free for n in names(v)}


def headers() -> list[dict[str, Any]]:
    messages = [encode(inspection(), kind, STAMP) for kind in (Kind.INSPECTION, *DERIVED)]
    totals = Ledger().totals().to_json()
    messages += [
        encode_start(STAMP, software="s", settings={}, settings_sha256=""),
        encode_loss(Loss(0, 1, Cause.SHUTDOWN), STAMP),
        encode_end(STAMP, totals=totals, last_seq=0, reason="finished"),
    ]
    others = [vector.truth["json"] for vector in VECTORS if "newer" not in vector.name]
    return [*others, *(header_of(frames) for frames in messages if frames is not None)]


def test_names_every_field() -> None:
    missing = {name for header in headers() for name in names(header) if f"`{name}`" not in TEXT}
    assert missing <= {"ok", "more"}  # shown in examples alone
    assert {'"ok": true', '"more": false'} <= set(re.findall(r'"\w+": \w+', TEXT))


@pytest.mark.parametrize("words", [Kind, Cause, Convention, ["uint8", "uint16", "float32"]])
def test_names_every_word(words: list[str]) -> None:
    assert not [word for word in words if f"`{word}`" not in TEXT]


def test_its_examples_are_messages() -> None:
    welcome, end, request, *replies = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    assert decode_welcome([WELCOME + welcome.encode()]).cameras == ("web-1",)
    message = decode([topic("web-1", Kind.EVENT), end.encode()])
    assert isinstance(message, EndEvent)
    assert message.totals.balanced
    for text in (request, *replies):
        Draft202012Validator(schema()).validate(json.loads(text))
    assert [decode_reply([text.encode()]).error for text in replies] == [None, "no_journal"]


def test_names_every_request_and_error_code() -> None:
    definition = schema()["$defs"]["request"]["allOf"]
    requests = {part["if"]["properties"]["request"]["const"] for part in definition if "if" in part}
    sources = "".join(path.read_text() for path in PUBLISHING.glob("*.py"))
    found = re.findall(r'(?:RequestError\(|refusal[=(]\(?|refuse\(\w+,)\s*"([a-z_]+)"', sources)
    assert {"bad_request", "busy", "stalled", "journal_failed"} <= set(found)
    assert not [word for word in {*requests, *found} if f"`{word}`" not in TEXT]
