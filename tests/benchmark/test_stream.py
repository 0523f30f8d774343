"""The pipeline as its users run it: real processes, a real socket, a model made by hand."""

from __future__ import annotations

import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from linescan.benchmark.errors import BenchmarkError
from linescan.benchmark.material import record_web
from linescan.benchmark.stream import STAGES, Stream, run_stream
from linescan.depth.engine import REFERENCE
from tests.depth.onnx_files import write_model

FRAME = (64, 96)


@pytest.fixture
def stream(tmp_path: Path) -> Stream:
    """A small web and a model that gives gray / 4."""
    record_web(FRAME, tmp_path / "web")
    return Stream(
        recording=tmp_path / "web",
        model=write_model(tmp_path / "handmade.onnx"),
        candidate=REFERENCE,
        size=(28, 42),
        image=(28, 42),
        tolerance=0.02,
        threads=1,
        rows=FRAME[0],
        folder=tmp_path,
    )


def test_every_frame_arrives_and_every_stage_is_measured(stream: Stream) -> None:
    told: list[int] = []
    found = run_stream(stream, 20, progress=told.append)
    assert found["mode"] == "throughput"
    assert found["engine"] == "cpu-fp32"
    assert found["frames"] == 20
    assert told == list(range(1, 21))
    assert (found["lost_lines"], found["missed_messages"]) == (0, 0)
    assert found["lines_per_s"] == pytest.approx(found["frames_per_s"] * 60, rel=1e-3)
    assert set(STAGES) <= set(found["stages"])
    for name in ("correct", "align"):
        assert found["stages"][name] is None
    for name in set(STAGES) - {"correct", "align"}:
        row = found["stages"][name]
        assert 0 <= row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"] <= row["max_ms"], name
    assert found["stages"]["infer"]["items"] == 20
    assert found["stages"]["end_to_end"]["p50_ms"] >= found["stages"]["delivery"]["p50_ms"] > 0
    assert len(found["end_to_end_samples_ms"]) == 20
    assert found["message_bytes"] == 28 * 42 * (4 + 2)  # depth and labels
    for process in ("memory_mb", "subscriber_memory_mb"):
        assert set(found[process]) == {"after_first", "after_tenth", "at_end"}
        assert all(mb > 10 for mb in found[process].values()), process
    # The pipeline holds an engine, the subscriber numpy and a socket.
    assert found["memory_mb"]["at_end"] > found["subscriber_memory_mb"]["at_end"]


def test_a_paced_run_offers_lines_at_its_rate(stream: Stream) -> None:
    found = run_stream(stream, 10, rate=1200.0)
    assert found["mode"] == "paced"
    assert found["offered_lines_per_s"] == 1200.0
    assert found["lines_per_s"] < 1.5 * 1200.0
    assert found["frames"] + found["missed_messages"] + found["lost_lines"] // 60 >= 9


def test_a_pipeline_that_cannot_run_says_why_and_does_not_hang(
    stream: Stream, tmp_path: Path
) -> None:
    began = time.monotonic()
    with pytest.raises(BenchmarkError, match=r"^the pipeline ended with exit code 2: .*no such"):
        run_stream(replace(stream, model=tmp_path / "none.onnx"), 5)
    assert time.monotonic() - began < 30  # a hang would be the 120 s of the subscriber


@pytest.mark.parametrize("who", ["pipeline", "subscriber"])
def test_a_process_that_is_killed_is_named(
    who: str, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no line that only informs is given as its reason."""
    children: dict[str, subprocess.Popen[str]] = {}
    original = subprocess.Popen

    def popen(command: list[str], **how: Any) -> subprocess.Popen[str]:
        child = original(command, **how)
        children["pipeline" if "replay" in command else "subscriber"] = child
        return child

    monkeypatch.setattr("linescan.benchmark.processes.subprocess.Popen", popen)
    with pytest.raises(BenchmarkError, match=f"^the {who} was killed by SIGKILL: ") as error:
        run_stream(stream, 1000, 2000.0, progress=lambda _: children[who].kill())
    assert "INFO" not in str(error.value)
    assert all(child.poll() is not None for child in children.values())


def test_frames_overlap_by_a_sixteenth(stream: Stream) -> None:
    assert stream.overlap == 4
    assert stream.lines(10) == 10 * 60 + 4


@pytest.mark.parametrize(
    ("frame", "count"), [((64, 96), 4), ((16384, 1024), 4), ((8192, 8192), 1)], ids=str
)
def test_the_recorded_web_is_bounded(
    frame: tuple[int, int], count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = []

    def record(section: object, _path: Path) -> None:
        lines.append(section.lines)  # type: ignore[attr-defined]
        raise InterruptedError

    monkeypatch.setattr("linescan.benchmark.material.record_simulated", record)
    with pytest.raises(InterruptedError):
        record_web(frame, tmp_path / "web")
    assert lines == [count * frame[0]]
