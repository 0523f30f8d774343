"""Acquisition at full line rate: from the virtual camera to flat-field corrected frames.

    python scripts/bench_acquisition.py --seconds 60

Prints lines lost, CPU shares, the time from a block's exposure to its frame, and how late other
Python threads wake up. The camera's own thread, which plays the lines, counts to the child's share.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from linescan.config import GenicamSource, OverloadSection
from linescan.config.genicam import Chunks
from linescan.correction.correct import Correct
from linescan.correction.flat_field import FlatField
from linescan.ledger import Ledger
from linescan.pipeline.factory import WithoutDepth
from linescan.pipeline.runner import Pipeline
from linescan.publishing import Deliver
from linescan.records import LineBlock, Loss
from linescan.simulation.virtual_camera import VirtualWorld, WorldSettings, build_producer
from linescan.sources.genicam import GenicamCamera
from linescan.stages import Stage
from linescan.stitching import Stitch


class Sleeper:
    """Measures how late a thread wakes up from 1 ms of sleep."""

    def __init__(self) -> None:
        self.over_ms: list[float] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._sleep, daemon=True)

    def __enter__(self) -> Sleeper:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _sleep(self) -> None:
        while not self._end.is_set():
            began = time.perf_counter()
            time.sleep(0.001)
            self.over_ms.append((time.perf_counter() - began - 0.001) * 1e3)


class Shares:
    """CPU time of a process and its camera's process, as shares of one core."""

    def __init__(self, child: int) -> None:
        self._processes = [psutil.Process(), psutil.Process(child)]
        self._began = time.monotonic()
        self._before = [self._used(p) for p in self._processes]

    def now(self) -> list[float]:
        """Parent's and child's share since the beginning."""
        wall = time.monotonic() - self._began
        pairs = zip(self._processes, self._before, strict=True)
        return [(self._used(p) - before) / wall for p, before in pairs]

    @staticmethod
    def _used(process: psutil.Process) -> float:
        times = process.cpu_times()
        return float(times.user + times.system)


class TimedCamera(GenicamCamera):
    """Notes how long after its last line each block reaches the pipeline, in ms."""

    def __init__(self, section: GenicamSource) -> None:
        super().__init__(section)
        self.late_ms: list[float] = []

    def items(self) -> Iterator[LineBlock | Loss]:
        """As the camera's."""
        for item in super().items():
            if isinstance(item, LineBlock) and item.exposed_ns is not None:
                self.late_ms.append((time.time_ns() - item.exposed_ns) / 1e6)
            yield item


def main() -> int:
    """Run it; 0 if no line was lost."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=100_000.0, help="lines per second")
    parser.add_argument("--width", type=int, default=4096)
    parser.add_argument("--block", type=int, default=512, help="lines of a block")
    parser.add_argument("--frame", type=int, default=2048, help="lines of a frame")
    parser.add_argument(
        "--encoder", choices=("ends", "lines"), default="ends", help="encoder positions to read"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return bench(given, Path(folder))


def bench(given: argparse.Namespace, folder: Path) -> int:
    """One measurement; 0 if no line was lost."""
    pixels = np.random.default_rng(1).integers(0, 256, (8192, given.width), dtype=np.uint8)
    settings = WorldSettings(line_rate_hz=given.rate, block_lines=given.block, hold=True)
    with VirtualWorld.create(folder / "world", pixels, settings=settings) as world:
        os.environ.update(world.environment)
    section = GenicamSource(
        producer=build_producer(),
        buffers=32,
        ring_blocks=64,
        chunks=Chunks(encoder=given.encoder),
    )
    ledger, camera = Ledger(), TimedCamera(section)
    camera.open(ledger.capture)
    reference = FlatField(
        np.full(given.width, 2, np.float32), np.linspace(0.9, 1.1, given.width, dtype=np.float32),
        8, "2026-01-01T00:00:00+00:00",
    )  # fmt: skip
    late: list[float] = []
    losses: list[Loss] = []

    def note(result: Any) -> None:
        if isinstance(result, Loss):
            losses.append(result)
        else:
            late.append((time.time_ns() - result.frame.acquired_ns) / 1e6)

    stages: list[Stage[Any, Any]] = [
        Correct(reference),
        Stitch(given.frame, 0, "short"),
        WithoutDepth(),
        Deliver(ledger),
    ]
    overload = OverloadSection(policy="drop_oldest", queue=32)
    pipeline = Pipeline(camera, stages, ledger, overload, note, given.seconds)
    with Sleeper() as idle:
        time.sleep(1.0)
    shares = Shares(camera.pid or 0)
    measured: list[float] = []
    timer = threading.Timer(max(0.5, given.seconds - 1), lambda: measured.extend(shares.now()))
    timer.start()
    with Sleeper() as busy:
        outcome = pipeline.run()
    timer.cancel()
    report(outcome.totals.captured, outcome.seconds, losses, late, measured, idle, busy)
    print(outcome.totals.explain())
    print(
        f"from a block's last line to the pipeline: median {np.median(camera.late_ms):.2f} ms, "
        f"p99 {np.percentile(camera.late_ms, 99):.2f}"
    )
    return 1 if losses else 0


def report(
    captured: int,
    seconds: float,
    losses: list[Loss],
    late: list[float],
    shares: list[float],
    idle: Sleeper,
    busy: Sleeper,
) -> None:
    """Print the figures."""
    print(f"{captured} lines in {seconds:.1f} s: {captured / seconds:.0f} lines/s")
    print(f"lines lost: {sum(loss.count for loss in losses)}")
    if shares:
        print(f"CPU, of one core: pipeline {shares[0]:.0%}, camera's process {shares[1]:.0%}")
    if late:
        middle, p99 = np.percentile(late, (50, 99))
        print(f"from the last block's arrival to the frame: median {middle:.2f} ms, p99 {p99:.2f}")
    for name, sleeper in (("idle", idle), ("acquiring", busy)):
        middle, p99 = np.percentile(sleeper.over_ms, (50, 99))
        print(f"a sleep of 1 ms is late, {name}: median {middle:.3f} ms, p99 {p99:.3f}")


if __name__ == "__main__":
    raise SystemExit(main())
