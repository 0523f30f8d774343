"""Real line-scan images from replay to subscriber, every line accounted for."""

from __future__ import annotations

from pathlib import Path

import pytest

from linescan import Subscriber
from linescan.client import StreamAudit
from linescan.protocol import InspectionMessage
from tests.cli.conftest import ON_CPU, Result, Start

pytestmark = pytest.mark.real_data


@pytest.mark.parametrize(("folder", "lines"), [("fabric/images", 13 * 512), ("deeppcb", 24 * 640)])
def test_real_images_are_accounted_for(
    start: Start, real_data: Path, endpoint: str, folder: str, lines: int
) -> None:
    wanted = min(lines, 3000)
    pipeline = start(
        *("replay", real_data / folder, *ON_CPU, "--lines", str(wanted)),
        *("--wait-subscribers", "1", "--set", f"publish.data={endpoint}"),
    )
    audit, shapes = StreamAudit(), set()
    with Subscriber(endpoint, ("inspection", "event"), timeout_s=50) as subscriber:
        for message in subscriber:
            audit.feed(message)
            if isinstance(message, InspectionMessage):
                assert message.depth is not None
                shapes.add(message.depth.shape)
    assert Result(pipeline).code == 0
    result = audit.result()
    assert result.ok, result.explain()
    assert result.published == wanted
    assert shapes == {(252, 252)}
