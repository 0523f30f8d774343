"""Replay to subscriber, end to end, in processes of their own."""

from __future__ import annotations

import json
import re
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from linescan import Subscriber
from linescan.protocol import InspectionMessage
from tests.cli.conftest import FRAMES_ONLY, ON_CPU, SILENT, Result, Start

Run = Callable[..., Result]


def ledger(path: Path) -> dict[str, object]:
    account = json.loads(path.read_text())["ledger"]
    assert isinstance(account, dict)
    return account


def test_a_recording_becomes_depth_masks_and_objects_for_a_subscriber(
    start: Start, recording: Path, endpoint: str, tmp_path: Path
) -> None:
    pictures, summary = tmp_path / "pictures", tmp_path / "end.json"
    subscriber = start("subscribe", endpoint, "--json", "--save", pictures, "--timeout", "40")
    auditor = start("verify", endpoint, "--timeout", "40")
    pipeline = start(
        *("replay", recording, *ON_CPU, "--set", f"publish.data={endpoint}"),
        *("--wait-subscribers", "2", "--summary", summary),
    )
    ended, received, audited = Result(pipeline), Result(subscriber), Result(auditor)
    assert (ended.code, received.code, audited.code) == (0, 0, 0), ended.err + audited.err
    assert ledger(summary) == {
        "captured": 1200,
        "published": 1200,
        "lost": {},
        "unaccounted": 0,
        "phantom": 0,
        "estimated": 0,
        "balanced": True,
    }
    headers = [json.loads(line) for line in received.out.splitlines()]
    frames = [h for h in headers if h["type"] == "inspection"]
    events = [h["type"] for h in headers if h["type"] != "inspection"]
    assert len(frames) == 5
    assert events in (["start", "end"], ["start", "completed", "end"])
    assert sum(len(h["objects"]) for h in frames) > 0
    complete = [o["track"] for h in headers for o in h.get("completed", [])]
    assert 0 < len(complete) == len(set(complete))
    assert json.loads(summary.read_text())["completed"] == len(complete)
    assert f"{len(complete)} complete on the web" in ended.err
    kinds = {path.name.rsplit("_", 1)[1] for path in pictures.iterdir()}
    assert kinds == {"depth.png", "depth.json", "heatmap.png", "mask.png", "overlay.png"}
    assert len(list(pictures.iterdir())) == 25
    assert "1200 lines captured, 1200 published" in audited.out


def received(start: Start, recording: Path, endpoint: str) -> list[InspectionMessage]:
    pipeline = start(
        *("replay", recording, *ON_CPU, "--lines", "600", "--wait-subscribers", "1"),
        *("--set", f"publish.data={endpoint}"),
    )
    with Subscriber(endpoint, timeout_s=40) as subscriber:
        messages = [m for m in subscriber if isinstance(m, InspectionMessage)]
    assert Result(pipeline).code == 0
    return messages


def test_the_same_recording_twice_gives_the_same_bits(
    start: Start, recording: Path, endpoint: str
) -> None:
    one, other = (received(start, recording, endpoint) for _ in range(2))
    assert len(one) == len(other) == 3
    for a, b in zip(one, other, strict=True):
        assert a.epoch != b.epoch
        assert a.depth is not None
        assert b.depth is not None
        assert a.depth.tobytes() == b.depth.tobytes()
        assert np.array_equal(a.labels, b.labels)  # type: ignore[arg-type]
        assert a.objects == b.objects
        assert a.valid == b.valid


def test_killing_the_subscriber_does_not_disturb_the_pipeline(
    start: Start, recording: Path, endpoint: str, tmp_path: Path
) -> None:
    subscriber = start("subscribe", endpoint)
    pipeline = start(
        *("replay", recording, *FRAMES_ONLY, "--loop", "--rate", "20000", "--lines", "30000"),
        *("--wait-subscribers", "1", "--set", f"publish.data={endpoint}"),
        *("--summary", tmp_path / "end.json"),
    )
    assert subscriber.stdout is not None
    subscriber.stdout.readline()
    subscriber.send_signal(signal.SIGKILL)
    assert Result(pipeline).code == 0
    assert ledger(tmp_path / "end.json")["published"] == 30000


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_signal_ends_the_run_cleanly(
    start: Start, recording: Path, endpoint: str, tmp_path: Path, number: int, code: int
) -> None:
    pipeline = start(
        *("replay", recording, *FRAMES_ONLY, "--loop", "--rate", "5000"),
        *("--wait-subscribers", "1", "--set", f"publish.data={endpoint}"),
        *("--summary", tmp_path / "end.json"),
    )
    with Subscriber(endpoint, ("inspection", "event"), timeout_s=40) as subscriber:
        for message in subscriber:
            if message.kind == "inspection" and message.seq == 1:
                pipeline.send_signal(number)
    assert subscriber.end is not None
    assert subscriber.end.totals.balanced
    assert subscriber.end.reason == signal.Signals(number).name
    result = Result(pipeline)
    assert result.code == code
    assert "Traceback" not in result.err
    assert ledger(tmp_path / "end.json")["captured"] == subscriber.end.totals.captured


def test_a_signal_while_waiting_for_subscribers_ends_at_once(start: Start, recording: Path) -> None:
    pipeline = start(
        *("replay", recording, *FRAMES_ONLY, "--wait-subscribers", "1"),
        *("--set", "publish.data=tcp://127.0.0.1:*"),
    )
    assert pipeline.stderr is not None
    while "waiting for 1" not in pipeline.stderr.readline():
        assert pipeline.poll() is None
    time.sleep(0.2)
    pipeline.send_signal(signal.SIGINT)
    assert pipeline.wait(60) == 130


def test_a_pace_and_a_duration_are_kept(linescan: Run, recording: Path, tmp_path: Path) -> None:
    summary = tmp_path / "end.json"
    result = linescan(
        *("replay", recording, "--loop", "--rate", "4000", "--duration", "1"),
        *(*FRAMES_ONLY, *SILENT, "--summary", summary),
    )
    assert result.code == 0
    captured = ledger(summary)["captured"]
    assert isinstance(captured, int)
    assert 200 <= captured <= 40_000


def test_frames_of_a_folder_of_images_are_accounted_for(linescan: Run, tmp_path: Path) -> None:
    import cv2

    folder = tmp_path / "scans"
    folder.mkdir()
    for k in (1, 2, 10):
        cv2.imwrite(str(folder / f"scan{k}.png"), np.full((90, 64), k, np.uint8))
    summary = tmp_path / "end.json"
    assert linescan("replay", folder, *FRAMES_ONLY, *SILENT, "--summary", summary).code == 0
    assert ledger(summary)["published"] == 270


def test_verify_reads_a_summary(linescan: Run, recording: Path, tmp_path: Path) -> None:
    summary = tmp_path / "end.json"
    linescan("replay", recording, *FRAMES_ONLY, *SILENT, "--summary", summary)
    assert linescan("verify", summary).code == 0
    cooked = json.loads(summary.read_text())
    cooked["ledger"]["published"] -= 7
    summary.write_text(json.dumps(cooked))
    result = linescan("verify", summary)
    assert result.code == 1
    assert "7 captured lines were neither published nor reported lost" in result.err


def test_a_recording_of_a_camera_whose_name_cannot_be_published(
    linescan: Run, recording: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "web"
    shutil.copytree(recording, folder)
    header = folder / "recording.yaml"
    named = re.sub(r"(?m)^camera: .*$", "camera: Line 1", header.read_text())
    header.write_text(named)
    refused = linescan("replay", folder, *FRAMES_ONLY, *SILENT)
    assert refused.code == 2
    assert f"error: {header}: camera name 'Line 1'" in refused.err
    assert "--set camera=" in refused.err
    renamed = linescan("replay", folder, *FRAMES_ONLY, *SILENT, "--set", "camera=line-1")
    assert renamed.code == 0, renamed.err
