"""How fast the whole pipeline is on this machine, and whether its memory stays flat.

Plays a simulated recording in a loop, from lines to a subscriber in a second process, and prints
frames per second, the latency of each stage, the share of time outside the model, and the memory
after a tenth of the frames against the memory after all of them.

    python scripts/bench_pipeline.py --frames 2000 --width 2048 --json bench.json
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from linescan.cli.statistics import Statistics
from linescan.config import Config, RecordingSource, SimulatedSource, parse
from linescan.pipeline.factory import build_pipeline
from linescan.sources.simulated import record_simulated

OVERLAP = 16
"""A frame shares a sixteenth of its rows with the one before."""


def main() -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=200, help="frames to run")
    parser.add_argument("--width", type=int, default=2048, help="pixels across; frames are square")
    parser.add_argument("--model", default="surface-tiny", help="depth model")
    parser.add_argument("--backend", default="auto", help="engine: auto, cuda, openvino, cpu")
    parser.add_argument("--precision", default="fp32", help="fp32 or bf16")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(arguments, Path(folder))
    report(figures)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Record, play in a loop, and watch."""
    width: int = arguments.width
    section = SimulatedSource(preset="parts", seed=21, width=width, lines=4 * width)
    record_simulated(section, folder / "web")
    config = configure(arguments, folder)
    lines = arguments.frames * (width - width // OVERLAP) + width // OVERLAP
    statistics, process = Statistics(), psutil.Process()
    memory: dict[int, float] = {}

    def note(result: Any) -> None:
        statistics.note(result)
        if statistics.frames in (arguments.frames // 10, arguments.frames):
            memory.setdefault(statistics.frames, process.memory_info().rss / 2**20)

    pipeline, _ = build_pipeline(config, lines=lines, on_result=note)
    subscriber = subprocess.Popen(
        [sys.executable, "-m", "linescan", "subscribe", config.publish.data],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        outcome = pipeline.run()
        missed = subscriber.wait(60)
    finally:
        subscriber.kill()
    summary = statistics.summary(outcome)
    busy = {name: row["total_s"] for name, row in summary["latency"].items()}
    busy.pop("end_to_end")
    return {
        **summary,
        "width": width,
        "share_outside_model": 1 - busy["infer"] / sum(busy.values()),
        "memory_mb": {str(frames): round(mb, 1) for frames, mb in memory.items()},
        "subscriber_missed": bool(missed),
    }


def configure(arguments: argparse.Namespace, folder: Path) -> Config:
    """The default configuration, with one subscriber to wait for."""
    settings = [
        f"depth.model={arguments.model}",
        f"depth.backend={arguments.backend}",
        f"depth.precision={arguments.precision}",
        f"publish.data=ipc://{folder}/data",
        "publish.wait_for_subscribers=1",
    ]
    source = RecordingSource(path=folder / "web", loop=True)
    return parse("", "benchmark", settings, source=source)


def report(figures: dict[str, Any]) -> None:
    """Print the figures as tables."""
    console = Console(highlight=False)
    table = Table("stage", "items", "p50 ms", "p99 ms", "max ms", "share", box=None)
    rows = figures["latency"]
    total = sum(row["total_s"] for name, row in rows.items() if name != "end_to_end")
    for name, row in rows.items():
        share = f"{row['total_s'] / total:.1%}" if name != "end_to_end" else ""
        values = [f"{row[key]:.2f}" for key in ("p50_ms", "p99_ms", "max_ms")]
        table.add_row(name, str(row["count"]), *values, share)
    console.print(table)
    console.print(
        f"{figures['frames']} frames of {figures['width']} x {figures['width']} with "
        f"{figures['model']} on {figures['engine']}: {figures['frames_per_s']:.2f} frames/s, "
        f"{figures['lines_per_s']:.0f} lines/s; outside the model "
        f"{figures['share_outside_model']:.1%}"
    )
    memory = ", ".join(f"{mb:.0f} MB after {frames}" for frames, mb in figures["memory_mb"].items())
    console.print(
        f"memory: {memory} frames; subscriber missed some: {figures['subscriber_missed']}"
    )


if __name__ == "__main__":
    main()
