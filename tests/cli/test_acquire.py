"""From a camera to a subscriber: ``linescan run`` as users start it, on both producers."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import genicam
import numpy as np
import psutil
import pytest

from linescan import Subscriber
from linescan.protocol import ImageMessage, InspectionMessage, LossEvent
from linescan.simulation.virtual_camera import build_producer
from tests.cli.conftest import ON_CPU, Result, Start
from tests.compilers import needs_compiler

Run = Callable[..., Result]
ROOT = Path(__file__).parents[2]
VIKY = next(Path(str(genicam.__file__)).parent.rglob("*.cti"))
FRAMES = """
frame: {lines: 256, overlap: 32, last: drop}
depth: {enabled: false}
overload: {policy: block}
"""


def configured(folder: Path, source: dict[str, Any], rest: str = FRAMES) -> Path:
    path = folder / "camera.yaml"
    path.write_text(f"source: {json.dumps(source, default=str)}\n{rest}")
    return path


def virtual(**settings: Any) -> dict[str, Any]:
    return {
        "type": "genicam",
        "producer": build_producer(),
        "block_lines": 100,
        "line_rate_hz": 4000,
        "buffers": 256,
        "supervision": {"first_retry_s": 0.01},
        **settings,
    }


def ledger(path: Path) -> dict[str, Any]:
    account = json.loads(path.read_text())["ledger"]
    assert isinstance(account, dict)
    return account


def test_any_producer_goes_all_the_way_to_a_subscriber(
    start: Start, endpoint: str, tmp_path: Path
) -> None:
    source = {
        "type": "genicam",
        "producer": VIKY,
        "width": 320,
        "block_lines": 120,
        "buffers": 128,
    }
    config = configured(tmp_path, source, "frame: {lines: 320, overlap: 0}\n")
    subscriber = start("subscribe", endpoint, "--json", "--timeout", "40")
    auditor = start("verify", endpoint, "--timeout", "40")
    run = start(
        *("run", config, *ON_CPU, "--lines", "960", "--wait-subscribers", "2"),
        *("--set", f"publish.data={endpoint}", "--set", "overload.policy=block"),
        *("--summary", tmp_path / "end.json"),
    )
    ended, received, audited = Result(run), Result(subscriber), Result(auditor)
    assert (ended.code, received.code, audited.code) == (0, 0, 0), ended.err + audited.err
    account = ledger(tmp_path / "end.json")
    assert account["captured"] == account["published"] == 960
    assert account["balanced"]
    headers = [json.loads(line) for line in received.out.splitlines()]
    assert [h["type"] for h in headers] == ["start", *["inspection"] * 3, "end"]
    assert [h["first_line"] for h in headers[1:-1]] == [0, 320, 640]
    assert all(part["shape"] for part in headers[1]["parts"])


def images(start: Start, endpoint: str, *arguments: str | Path) -> tuple[list[ImageMessage], Any]:
    """Frames that a subscriber gets of a run, and the account that it ends with."""
    pipeline = start(*arguments, "--wait-subscribers", "1", "--set", f"publish.data={endpoint}")
    kinds = ("image", "event")
    with Subscriber(endpoint, kinds, timeout_s=40) as subscriber:
        frames = [m for m in subscriber if isinstance(m, ImageMessage)]
    result = Result(pipeline)
    assert result.code == 0, result.err
    assert subscriber.end is not None
    return frames, subscriber.end.totals


@needs_compiler
def test_replay_and_camera_give_a_subscriber_the_same_frames(
    start: Start, endpoint: str, tmp_path: Path
) -> None:
    parts = ROOT / "sim_data" / "parts"
    for name in ("replayed", "acquired"):
        (tmp_path / name).mkdir()
    camera = configured(tmp_path / "acquired", virtual(virtual={"recording": parts}))
    recording = configured(tmp_path / "replayed", {"type": "recording", "path": parts})
    one, replayed = images(start, endpoint, "run", recording, "--lines", "2000")
    other, acquired = images(start, endpoint, "run", camera, "--lines", "2000")
    assert replayed.balanced
    assert replayed == acquired
    assert len(one) == len(other) == 8
    for a, b in zip(one, other, strict=True):
        assert (a.first_line, a.line_count, a.valid) == (b.first_line, b.line_count, b.valid)
        assert np.array_equal(a.image, b.image)
    assert len({frame.image.tobytes() for frame in other}) == len(other)


def kill_camera(pid: int) -> None:
    """Kill the process of its own that a run has for its camera."""
    cameras = [p for p in psutil.Process(pid).children() if "spawn_main" in " ".join(p.cmdline())]
    assert len(cameras) == 1
    cameras[0].kill()


@needs_compiler
def test_a_camera_that_dies_costs_lines_but_no_account(
    start: Start, endpoint: str, tmp_path: Path
) -> None:
    source = virtual(virtual={"width": 128, "fault_every_lines": 2000})
    run = start(
        *("run", configured(tmp_path, source), "--lines", "24000", "--wait-subscribers", "1"),
        *("--set", f"publish.data={endpoint}"),
    )
    losses: list[LossEvent] = []
    killed = False
    with Subscriber(endpoint, ("inspection", "event"), timeout_s=40) as subscriber:
        for message in subscriber:
            if isinstance(message, LossEvent):
                losses.append(message)
            elif isinstance(message, InspectionMessage) and message.seq > 5 and not killed:
                kill_camera(run.pid)
                killed = True
    ended = Result(run)
    assert ended.code == 0, ended.err
    assert subscriber.missed == 0
    assert subscriber.end is not None
    totals = subscriber.end.totals
    assert totals.balanced
    assert totals.captured == 24000
    by_cause = {loss.cause: 0 for loss in losses}
    for loss in losses:
        by_cause[loss.cause] += loss.count
    assert totals.lost == by_cause
    assert {"reconnect", "incomplete_block"} <= set(by_cause)
    assert "killed by SIGKILL); trying again" in ended.err
    assert "the camera is back after" in ended.err


@needs_compiler
def test_a_run_that_is_killed_leaves_no_process_and_no_file(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    summary = "publish: {enabled: false}\n"
    config = configured(tmp_path, virtual(virtual={"width": 64}), FRAMES + summary)
    run = start("run", config)
    deadline = time.monotonic() + 30
    while not any("linescan-ring" in line for line in maps(run.pid)):
        assert time.monotonic() < deadline
        assert run.poll() is None
        time.sleep(0.05)
    children = psutil.Process(run.pid).children(recursive=True)
    os.kill(run.pid, signal.SIGKILL)
    run.wait(10)
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive
    assert not list(folder.rglob("*"))


def maps(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/maps").read_text().splitlines()
