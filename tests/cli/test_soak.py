"""A pipeline that runs on while subscribers come, go and are killed: balanced, and flat in memory.

It lasts ``LINESCAN_LONG`` minutes (a quarter of one where that is not set): ``make test-long``.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from collections import deque
from pathlib import Path

import psutil
import pytest

from tests.cli.conftest import Result, Start
from tests.lengths import MINUTES

SETTLED_S = 3.0
"""Time after the first results until all buffers have been used once."""
STOPPED = 4
"""Subscribers, killed or stopped, that linger at a time."""
GROWTH_MB = 64.0
"""Memory that the pipeline may gain after that, whatever its run time."""


@pytest.mark.long
@pytest.mark.timeout(MINUTES * 60 + 240)
def test_killed_subscribers_leave_a_balanced_ledger_and_flat_memory(
    start: Start, endpoint: str, tmp_path: Path
) -> None:
    config, summary = tmp_path / "soak.yaml", tmp_path / "end.json"
    config.write_text(
        "source: {type: simulated, preset: parts, width: 512, rate: 4000}\n"
        "overload: {policy: drop_oldest, queue: 2}\n"
        "depth: {backend: openvino, precision: fp32}\n"  # no race: settled soon
        f"publish: {{data: '{endpoint}', memory_mb: 32}}\n"
    )
    pipeline = start("run", config, "--summary", summary)
    process, rng = psutil.Process(pipeline.pid), random.Random(1)
    first = start("subscribe", endpoint, "--count", "20")
    assert first.wait(100) == 0
    time.sleep(SETTLED_S)
    end = time.monotonic() + MINUTES * 60
    before = process.memory_info().rss / 2**20
    peak = before
    subscribers: deque[subprocess.Popen[str]] = deque()
    while time.monotonic() < end:
        kind = rng.choice(["inspection", "image", "depth.f32", "mask"])
        subscribers.append(start("subscribe", endpoint, "--kind", kind))
        time.sleep(rng.uniform(0.5, 3))
        subscribers[-1].send_signal(rng.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP]))
        if len(subscribers) > STOPPED:
            oldest = subscribers.popleft()
            oldest.kill()
            oldest.communicate()
        peak = max(peak, process.memory_info().rss / 2**20)
        assert pipeline.poll() is None
    pipeline.send_signal(signal.SIGTERM)
    result = Result(pipeline)
    assert result.code == 0, result.err[-2000:]
    account = json.loads(summary.read_text())["ledger"]
    assert account["balanced"]
    assert account["captured"] > 0
    assert peak - before < GROWTH_MB, f"{before:.0f} MB grew to {peak:.0f} MB"
