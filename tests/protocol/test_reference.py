"""The reference page: names every field, and its examples are true."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

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
    encode_welcome,
    topic,
)
from linescan.records import Cause, Convention, Loss
from tests.protocol.samples import STAMP, header_of, inspection

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "protocol.md"
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
    welcome = json.loads(encode_welcome("e", ["web-1"], "s")[len(WELCOME) :])
    return [welcome, *(header_of(frames) for frames in messages if frames is not None)]


def test_names_every_field() -> None:
    missing = {name for header in headers() for name in names(header) if f"`{name}`" not in TEXT}
    assert missing <= {"cameras"}  # shown in the example alone
    assert '"cameras"' in TEXT


@pytest.mark.parametrize("words", [Kind, Cause, Convention, ["uint8", "uint16", "float32"]])
def test_names_every_word(words: list[str]) -> None:
    assert not [word for word in words if f"`{word}`" not in TEXT]


def test_its_examples_are_messages() -> None:
    welcome, end = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    assert decode_welcome([WELCOME + welcome.encode()]).cameras == ("web-1",)
    message = decode([topic("web-1", Kind.EVENT), end.encode()])
    assert isinstance(message, EndEvent)
    assert message.totals.balanced


def test_its_receiver_receives() -> None:
    from linescan.config import PublishSection
    from linescan.publishing import Publish

    (program,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    stage = Publish(PublishSection(data="tcp://127.0.0.1:*", linger_s=1), "web-1", Ledger())
    stage.setup()
    with subprocess.Popen(
        [sys.executable, "-c", program, stage.publisher.endpoint],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        stage.publisher.wait_for_subscribers(1, 20)
        list(stage.process(inspection()))
        list(stage.finish())
        stage.teardown()
        output = process.communicate(timeout=20)[0]
    assert output.splitlines()[-2:] == [
        "inspection 0 {'depth': (28, 42), 'labels': (28, 42)}",
        "end 1 {}",
    ]
    assert process.returncode == 0
