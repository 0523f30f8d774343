"""The main job, end to end: a recorded scan becomes depth, masks and objects over ZeroMQ.

A pipeline in one process publishes, a subscriber in a second one receives and writes pictures.
`make demo` plays a simulated recording and holds what was found against the truth; `make demo-real`
plays the real line-scan images that LINESCAN_REAL_DATA points to.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from linescan.evaluation.detection import Box, Score, score_frame
from linescan.pictures import read_depth16
from linescan.pictures.strip import assemble_depth, colour_strip, lay_strips
from linescan.recording import Recording, Truth
from linescan.records import Interval, LineBlock

ROOT = Path(__file__).resolve().parents[1]
LEAST = 0.8
"""Precision and recall that the demo asks for."""
MARKER = ".linescan-demo"
"""Marks a folder that a demo made and may remove."""
STEP = 2
"""Camera pixels for one pixel of the overview."""
REAL = {"fabric": "fabric/images", "pcb": "deeppcb"}
"""Real line-scan images below LINESCAN_REAL_DATA."""

console = Console(highlight=False)


@dataclass(frozen=True)
class Run:
    """What one run left behind: the summary of the pipeline, the messages of the subscriber."""

    summary: dict[str, Any]
    messages: list[dict[str, Any]]
    exit_codes: tuple[int, int]

    @property
    def balanced(self) -> bool:
        """Both processes say so, independently of each other."""
        return self.exit_codes == (0, 0) and bool(self.summary["ledger"]["balanced"])


def main() -> int:
    """Run the demo that the arguments ask for; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--real", action="store_true", help="play LINESCAN_REAL_DATA instead")
    parser.add_argument("--out", type=Path, default=ROOT / "demo_output", help="where pictures go")
    arguments = parser.parse_args()
    prepare_folder(arguments.out)
    return demo_real(arguments.out) if arguments.real else demo(arguments.out)


def prepare_folder(out: Path) -> None:
    """An empty folder; what an earlier demo left there goes, anybody else's is not touched."""
    if out.exists():
        if any(out.iterdir()) and not (out / MARKER).is_file():
            sys.exit(f"{out}: not made by a demo and not empty; choose another --out")
        shutil.rmtree(out)
    out.mkdir(parents=True)
    (out / MARKER).touch()


def demo(out: Path) -> int:
    """The simulated recording, held against its truth."""
    recording = ROOT / "sim_data" / "parts"
    console.rule("a recorded scan becomes depth, masks and objects over ZeroMQ")
    run = play(["run", str(ROOT / "configs" / "demo.yaml")], out)
    score = score_against_truth(recording, run.messages)
    overview = draw_overview(recording, out)
    report(run)
    console.print(
        f"objects: {score.found} found in {run.summary['frames']} frames, "
        f"precision [bold]{score.precision:.3f}[/], recall [bold]{score.recall:.3f}[/] "
        f"({score.wanted_found} of {score.wanted} true ones)"
    )
    console.print(f"pictures: {out}, begin with [bold]{overview.name}[/]")
    good = run.balanced and min(score.precision, score.recall) >= LEAST
    if not good:
        console.print(f"[bold red]failed:[/] a balanced ledger and {LEAST} each were expected")
    return 0 if good else 1


def demo_real(out: Path) -> int:
    """Real images: no truth, but every line accounted for, and pictures to look at."""
    data = os.environ.get("LINESCAN_REAL_DATA")
    if not data:
        console.print("set LINESCAN_REAL_DATA to the folder of the real line-scan images")
        return 2
    sources = {name: Path(data) / folder for name, folder in REAL.items()}
    there = {name: source for name, source in sources.items() if source.is_dir()}
    if not there:
        console.print(f"LINESCAN_REAL_DATA={data} has neither {' nor '.join(REAL.values())}")
        return 2
    good = True
    for name, source in there.items():
        console.rule(f"{name}: {source}")
        run = play(["replay", str(source), "--set", f"camera={name}"], out / name)
        report(run)
        console.print(f"objects: {run.summary['objects']}; pictures: {out / name}")
        good &= run.balanced
    return 0 if good else 1


def play(command: list[str], out: Path) -> Run:
    """Run a pipeline and, in a second process, a subscriber that writes pictures."""
    out.mkdir(parents=True, exist_ok=True)
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    linescan = [sys.executable, "-m", "linescan"]
    summary, messages = out / "summary.json", out / "messages.jsonl"
    with messages.open("w", encoding="utf-8") as lines:
        subscriber = subprocess.Popen(
            [*linescan, "subscribe", endpoint, "--json", "--save", str(out), "--timeout", "120"],
            stdout=lines,
        )
        pipeline = subprocess.run(
            [
                *linescan,
                *command,
                *("--set", f"publish.data={endpoint}"),
                *("--set", "publish.linger_s=60"),
                *("--wait-subscribers", "1", "--summary", str(summary)),
            ],
            check=False,
        )
        if pipeline.returncode == 2:
            subscriber.terminate()
        codes = (pipeline.returncode, subscriber.wait())
    if not summary.is_file():
        sys.exit(codes[0] or 1)
    headers = [json.loads(line) for line in messages.read_text(encoding="utf-8").splitlines()]
    return Run(json.loads(summary.read_text(encoding="utf-8")), headers, codes)


def score_against_truth(path: Path, messages: list[dict[str, Any]]) -> Score:
    """Objects of all frames against the true objects of the recording."""
    recording, known = open_with_truth(path)
    truth = [
        Box(
            Interval(o.first_line, o.last_line + 1 - o.first_line),
            Interval(o.first_column, o.last_column + 1 - o.first_column),
        )
        for o in known.objects()
    ]
    score = Score()
    for header in messages:
        if header["type"] != "inspection":
            continue
        found = [
            Box(
                Interval(o["first_line"], o["line_count"]),
                Interval(o["first_column"], o["column_count"]),
            )
            for o in header["objects"]
        ]
        for first, count in header["valid"]:
            part = Box(Interval(first, count), Interval(0, recording.header.width))
            inside = [box for box in found if box.intersection(part).area]
            score += score_frame(inside, truth, part)
    return score


def open_with_truth(path: Path) -> tuple[Recording, Truth]:
    """A recording that knows what lies on its web."""
    recording = Recording.open(path)
    if recording.truth is None:
        sys.exit(f"{path} has no truth")
    return recording, recording.truth


def draw_overview(path: Path, out: Path) -> Path:
    """The whole web in one picture: what the camera saw, the depth received, the true height."""
    import cv2

    recording, known = open_with_truth(path)
    blocks = [b.pixels for b in recording.blocks() if isinstance(b, LineBlock)]
    gray = np.vstack(blocks)[::STEP, ::STEP]
    lines = Interval(0, recording.header.lines)
    maps = [read_depth16(p)[0] for p in sorted(out.glob("*_depth.png"))]
    found = assemble_depth(maps, lines, STEP, recording.header.width)
    coarse, web = known.height(0, lines.count)
    zoom = web.line_step / STEP
    truth = np.asarray(cv2.resize(coarse, None, fx=zoom, fy=zoom), np.float32)
    image = np.repeat(gray[:, :, None], 3, axis=2).astype(np.uint8)
    strips = [image, colour_strip(found), colour_strip(truth)]
    overview = out / "overview.png"
    cv2.imwrite(str(overview), lay_strips(strips))
    return overview


def report(run: Run) -> None:
    """Tables: the ledger and the latencies."""
    ledger = run.summary["ledger"]
    table = Table("lines captured", "published", "lost", "of which", title="ledger", box=None)
    causes = ", ".join(f"{n} {cause}" for cause, n in ledger["lost"].items()) or "–"
    lost = sum(ledger["lost"].values())
    table.add_row(str(ledger["captured"]), str(ledger["published"]), str(lost), causes)
    console.print(table)
    times = Table("stage", "items", "p50 ms", "p99 ms", title="latency", box=None)
    for name, row in run.summary["latency"].items():
        times.add_row(name, str(row["count"]), f"{row['p50_ms']:.2f}", f"{row['p99_ms']:.2f}")
    console.print(times)
    console.print(
        f"{run.summary['model']} on {run.summary['engine']}: "
        f"{run.summary['frames_per_s']:.1f} frames/s, {run.summary['lines_per_s']:.0f} lines/s"
    )


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
