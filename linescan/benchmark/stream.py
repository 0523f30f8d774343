"""The whole pipeline as its users run it: ``linescan replay`` and a subscriber, two processes.

Both processes share the clock of this machine, so that times since acquisition are real.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from linescan.benchmark.durations import in_ms, percentiles
from linescan.benchmark.errors import BenchmarkError
from linescan.benchmark.memory import Resident
from linescan.benchmark.processes import child, end, ending, free_when_over
from linescan.depth.engine import Candidate

STAGES: Final = (
    "acquire",
    "correct",
    "stitch",
    "resize",
    "infer",
    "align",
    "segment",
    "encode",
    "send",
    "receive",
    "delivery",
    "end_to_end",
)
"""In the order of the flow. ``receive`` is the subscriber's parsing and checking; ``delivery`` is
from the publisher's stamp to the subscriber's hands, ``end_to_end`` from the arrival of a frame's
last line to the subscriber's hands."""
AFTER_THE_PIPELINE: Final = ("receive", "delivery", "end_to_end")
SINCE: Final = {"delivery": "published_ns", "end_to_end": "acquired_ns"}
MODEL: Final = "infer"


@dataclass(frozen=True, slots=True)
class Stream:
    """A pipeline to run.

    Attributes:
        recording: folder of the recording to play in a loop.
        model: its .onnx file.
        candidate: backend and precision.
        size: rows and columns of the model.
        image: rows and columns that frames are resized to before the model.
        tolerance: of the numeric gate.
        threads: CPU threads of the engine.
        rows: of a frame.
        folder: for sockets and summaries.
    """

    recording: Path
    model: Path
    candidate: Candidate
    size: tuple[int, int]
    image: tuple[int, int]
    tolerance: float
    threads: int
    rows: int
    folder: Path

    @property
    def overlap(self) -> int:
        """Rows that a frame shares with the one before."""
        return self.rows // 16

    def lines(self, frames: int) -> int:
        """Camera lines that so many frames take."""
        return frames * (self.rows - self.overlap) + self.overlap


def run_stream(
    stream: Stream,
    frames: int,
    rate: float | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> dict[str, Any]:
    """Play frames through the pipeline to a subscriber and watch.

    Args:
        stream: what to run.
        frames: how many.
        rate: lines per second; with it the pipeline drops what it cannot keep up with, without it
            it takes lines as fast as it can and loses none.
        progress: told the number of frames received.

    Returns:
        Rates, memory, losses and the figures of each stage, as plain data; see
        docs/reference/benchmark.md.

    Raises:
        BenchmarkError: the pipeline or the subscriber ended with an error, or nothing arrived.
    """
    mode = "throughput" if rate is None else "paced"
    endpoint = f"ipc://{stream.folder}/{mode}"
    summary_file = stream.folder / f"{mode}.json"
    log_file, heard_file = (stream.folder / f"{mode}{end}" for end in (".log", "-subscriber.log"))
    command = _replay(stream, frames, rate, endpoint, summary_file)
    listen = [sys.executable, "-m", "linescan.benchmark.subscriber", endpoint]
    with (
        log_file.open("w", encoding="utf-8") as log,
        heard_file.open("w", encoding="utf-8") as heard,
        child(listen, stdout=subprocess.PIPE, stderr=heard, text=True) as subscriber,
        child(command, stdout=subprocess.DEVNULL, stderr=log) as pipeline,
    ):
        memory = [Resident(process.pid, frames) for process in (pipeline, subscriber)]

        def note(done: int) -> None:
            for process in memory:
                process.sample(done)
            progress(done)

        threading.Thread(target=free_when_over, args=(pipeline, subscriber), daemon=True).start()
        received, last = _follow(subscriber, note)
        end(subscriber)
        alone = subscriber.returncode != 0 and pipeline.poll() is None
        if alone:  # it died first: the pipeline has nobody to play to
            pipeline.terminate()
        end(pipeline)
    if pipeline.returncode != 0 and not alone:
        raise BenchmarkError(ending("the pipeline", pipeline.returncode, log_file))
    if subscriber.returncode != 0 or not received or not last:
        raise BenchmarkError(ending("the subscriber", subscriber.returncode, heard_file))
    summary = json.loads(summary_file.read_text(encoding="utf-8"))
    rate_reached = _frames_per_s(received)
    return {
        "mode": mode,
        "offered_lines_per_s": None if rate is None else round(rate, 1),
        "engine": summary["engine"],
        "frames": len(received),
        "frames_per_s": round(rate_reached, 3),
        "lines_per_s": round(rate_reached * (stream.rows - stream.overlap), 1),
        "message_bytes": round(sum(r["bytes"] for r in received) / len(received)),
        "lost_lines": sum(summary["ledger"]["lost"].values()),
        "missed_messages": last["missed"],
        "memory_mb": memory[0].mb,
        "subscriber_memory_mb": memory[1].mb,
        "stages": _stages({**summary["latency"], "receive": last["receive"]}, received),
        "end_to_end_samples_ms": in_ms([r["received_ns"] - r["acquired_ns"] for r in received]),
    }


def outside_over_model(
    stages: Mapping[str, Mapping[str, float] | None], waits: Sequence[str] = ()
) -> float | None:
    """Time of all stages from acquire to send but the model's, over the model's.

    Args:
        stages: their figures.
        waits: stages that are not counted because they wait for lines to come.
    """
    inside = stages.get(MODEL)
    if inside is None or not inside["ms_per_frame"]:
        return None
    others = [
        row["ms_per_frame"]
        for name, row in stages.items()
        if row is not None and name not in (MODEL, *AFTER_THE_PIPELINE, *waits)
    ]
    return round(sum(others) / inside["ms_per_frame"], 4)


def _replay(
    stream: Stream, frames: int, rate: float | None, endpoint: str, summary: Path
) -> list[str]:
    rows, columns = stream.size
    settings = {
        "frame.lines": stream.rows,
        "frame.overlap": stream.overlap,
        "depth.model": stream.model,
        "depth.backend": stream.candidate.backend,
        "depth.precision": stream.candidate.precision,
        "depth.size": f"[{rows},{columns}]",
        "depth.tolerance": stream.tolerance,
        "depth.threads": stream.threads,
        "publish.data": endpoint,
        "overload.policy": "block" if rate is None else "drop_oldest",
    }
    command = [sys.executable, "-m", "linescan", "replay", str(stream.recording), "--loop"]
    command += ["--lines", str(stream.lines(frames)), "--wait-subscribers", "1"]
    command += ["--summary", str(summary), "--rate", "max" if rate is None else f"{rate:.3f}"]
    for key, value in settings.items():
        command += ["--set", f"{key}={value}"]
    return command


def _follow(
    subscriber: subprocess.Popen[str], note: Callable[[int], None]
) -> tuple[list[dict[str, int]], dict[str, Any]]:
    """What the subscriber says, line by line and at last; ``note`` is told how many so far."""
    received: list[dict[str, int]] = []
    last: dict[str, Any] = {}
    for line in subscriber.stdout or ():
        if not line.endswith("\n"):
            break  # it was killed while it spoke
        said = json.loads(line)
        if "missed" in said:
            last = said
            continue
        received.append(said)
        note(len(received))
    return received, last


def _frames_per_s(received: Sequence[Mapping[str, int]]) -> float:
    """Frames per second in the subscriber's hands, from the first to the last."""
    span = received[-1]["received_ns"] - received[0]["received_ns"]
    return (len(received) - 1) / (span / 1e9) if span else 0.0


def _stages(
    latency: Mapping[str, Mapping[str, float]], received: Sequence[Mapping[str, int]]
) -> dict[str, dict[str, float] | None]:
    """Figures of each stage in the order of the flow; None where this pipeline has no such stage.

    ``ms_per_frame`` is the stage's whole time over the frames: the first stages take blocks.
    """
    frames = len(received)
    measured: dict[str, dict[str, float] | None] = {
        name: {
            "items": row["count"],
            **{key: row[key] for key in ("p50_ms", "p95_ms", "p99_ms", "max_ms")},
            "ms_per_frame": round(row["total_s"] * 1e3 / frames, 3),
        }
        for name, row in latency.items()
        if name not in SINCE
    }
    for name, since in SINCE.items():
        spans = [max(0, r["received_ns"] - r[since]) for r in received]
        figures = percentiles(spans)
        measured[name] = {
            "items": frames,
            "p50_ms": figures["median_ms"],
            **{key: figures[key] for key in ("p95_ms", "p99_ms", "max_ms")},
            "ms_per_frame": round(sum(spans) / frames / 1e6, 3),
        }
    order = [*STAGES[: -len(AFTER_THE_PIPELINE)]]
    order += [name for name in measured if name not in STAGES]
    return {name: measured.get(name) for name in (*order, *AFTER_THE_PIPELINE)}
