"""Measures objects that frame borders cut: python -m scripts.measure_seams RECORDING.

A recording with truth is run several times with frames at random places. What one run sees whole in
a single frame is the reference for those in which a border cuts it: how often does it come out
exactly once, and with the same area? The same objects in runs that do not cut them either say how
much of that is not due to borders. With ``--depth truth`` the depth is the true height plus
noise, both the same in all runs, at half the camera's resolution; ``--fresh`` adds as much again,
anew for each frame, as if the same web came twice. With ``--depth surface-tiny`` it is the model's
own, which differs with what else is in the frame.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

import cv2
import numpy as np
from rich.progress import track

from linescan.config import Config, SegmentationSection
from linescan.evaluation.seams import Phase, score_seams, uncut_shares
from linescan.pipeline.chain import through
from linescan.pipeline.factory import processing_stages
from linescan.recording import Recording
from linescan.records import (
    Completed,
    Convention,
    DepthMap,
    FloatArray,
    Frame,
    GrayArray,
    LineBlock,
    WebMap,
)
from linescan.segmentation import Segmenter
from linescan.sources.base import SourceInfo
from linescan.whole import WholeObject

LINES, STEP = 512, 2
"""Rows of a frame, and with true depth camera pixels for one of depth."""


def main() -> None:
    """Run and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recording", type=Path, nargs="?", default=Path("sim_data/parts"))
    parser.add_argument("--depth", choices=["truth", "surface-tiny"], default="truth")
    parser.add_argument("--overlap", type=int, default=64, help="rows that frames share, even")
    parser.add_argument("--runs", type=int, default=48, help="runs, frames at other places in each")
    parser.add_argument("--noise", type=float, default=0.02, help="mm, with --depth truth")
    parser.add_argument(
        "--fresh", action="store_true", help="as much noise again, of each frame alone"
    )
    parser.add_argument("--set", action="append", default=[], metavar="KEY=JSON",
                        help="a key of segmentation, such as background='\"belt\"'")  # fmt: skip
    arguments = parser.parse_args()
    changes = dict(item.split("=", 1) for item in arguments.set)
    section = SegmentationSection.model_validate({k: json.loads(v) for k, v in changes.items()})
    web = Web.of(arguments.recording)
    rng, phases = np.random.default_rng(0), []
    strip = web.depth(arguments.noise, rng)
    overlap = arguments.overlap
    starts = STEP * rng.choice((LINES - overlap) // STEP, arguments.runs, replace=False)
    for start in track(starts.tolist()):
        if arguments.depth == "truth":
            more = arguments.noise * arguments.fresh
            run: _Truth | _Model = _Truth(strip, more, section, overlap, rng)
        else:
            run = _Model(section, overlap)
        frames = range(start, len(web.pixels) - LINES + 1, LINES - overlap)
        for first in frames:
            run.take(web, first)
        run.close()
        phases.append(Phase(start, len(frames), LINES, overlap, run.found))
    print(
        f"{arguments.depth}, {arguments.recording.name}, overlap {overlap}: "
        f"{sum(len(p.objects) for p in phases)} objects in {len(phases)} runs"
    )
    score, uncut = score_seams(phases), uncut_shares(phases)
    print(
        f"{score.asked} cut by borders, once {score.once / score.asked:.4f}, area within 5 % "
        f"{score.right / score.asked:.4f}; deviation of area: median {score.quantile(0.5):.4f}, "
        f"95 % {score.quantile(0.95):.4f}, 99 % {score.quantile(0.99):.4f}"
    )
    if uncut:
        print(f"the same objects uncut: once {uncut[0]:.4f}, area within 5 % {uncut[1]:.4f}")


@dataclass(frozen=True)
class Web:
    """A recorded web: gray pixels and true height, (lines, columns) each."""

    pixels: GrayArray
    height: FloatArray

    @classmethod
    def of(cls, path: Path) -> Web:
        """Read it whole; its height is repeated to full resolution."""
        recording = Recording.open(path)
        first = recording.header.first_line
        if recording.truth is None or first is None:
            raise SystemExit(f"{path} has no truth")
        blocks = [b.pixels for b in recording.blocks() if isinstance(b, LineBlock)]
        pixels = cast("GrayArray", np.vstack(blocks))
        coarse, _ = recording.truth.height(first, len(pixels))
        step = recording.truth.header.height.step
        height = coarse.repeat(step, 0).repeat(step, 1)[: len(pixels), : pixels.shape[1]]
        return cls(pixels[:, :LINES], height[:, :LINES])

    def depth(self, noise: float, rng: np.random.Generator) -> FloatArray:
        """True height and noise, (lines / STEP, columns / STEP) float32."""
        rows, columns = (n // STEP for n in self.height.shape)
        small = cv2.resize(self.height, (columns, rows), interpolation=cv2.INTER_AREA)
        return (small + rng.normal(0, noise, small.shape)).astype(np.float32)


class _Truth:
    """A run whose depth is the true height and noise."""

    def __init__(
        self,
        strip: FloatArray,
        more_noise: float,
        section: SegmentationSection,
        overlap: int,
        rng: np.random.Generator,
    ) -> None:
        self.found: list[WholeObject] = []
        self._strip, self._more, self._rng = strip, more_noise, rng
        self._segmenter = Segmenter(section, overlap)

    def take(self, _: Web, first: int) -> None:
        values = self._strip[first // STEP : (first + LINES) // STEP]
        if self._more:
            values = values + self._rng.normal(0, self._more, values.shape).astype(np.float32)
        place = WebMap(first + (STEP - 1) / 2, STEP, (STEP - 1) / 2, STEP)
        valid = np.ones(len(values), np.bool_)
        depth = DepthMap(values, Convention.HEIGHT, "mm", 1.0, 0.0, None, valid, place)
        self.found += self._segmenter.take(depth).completed

    def close(self) -> None:
        self.found += self._segmenter.close().objects


class _Model:
    """A run through the pipeline's own stages, which go on from run to run but for the last."""

    stages: ClassVar[list[Any]] = []

    def __init__(self, section: SegmentationSection, overlap: int) -> None:
        settings = {
            "source": {"type": "simulated"},
            "frame": {"lines": LINES, "overlap": overlap},
            "depth": {"precision": "fp32", "backend": "cpu"},
            "segmentation": section.model_dump(),
        }
        self._overlap = overlap
        config, info = Config.model_validate(settings), SourceInfo("a recording", LINES)
        *depth, self._segment = processing_stages(config, info)
        if not self.stages:
            for stage in depth:
                stage.setup()
                self.stages.append(stage)
        self.found: list[WholeObject] = []

    def take(self, web: Web, first: int) -> None:
        valid = np.ones(LINES, np.bool_)
        frame = Frame(web.pixels[first : first + LINES], first, valid, self._overlap, 0)
        for inspection in through([*self.stages, self._segment], frame):
            self.found += inspection.segmentation.completed

    def close(self) -> None:
        for left in self._segment.finish():
            if isinstance(left, Completed):
                self.found += left.objects


if __name__ == "__main__":
    main()
