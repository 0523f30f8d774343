"""Measures objects that frame borders cut at random: python -m scripts.measure_seams.

The same simulated web is run several times with frames at random places. What one run sees whole
in a single frame is the reference for those in which a border cuts it: how often does it come out
exactly once, and with the same area? With ``--depth truth`` the depth is the true height, reduced
to the model's resolution, plus fresh noise in each frame; with ``--depth surface-tiny`` it is the
model's own.
"""

from __future__ import annotations

import argparse
import json
from contextlib import ExitStack
from functools import partial

import cv2
import numpy as np
from rich.progress import track

from linescan.config import Config, SegmentationSection
from linescan.evaluation.seams import Phase, SeamScore, score_seams
from linescan.pipeline.chain import set_up, through
from linescan.pipeline.factory import processing_stages
from linescan.records import Convention, DepthMap, Frame, WebMap
from linescan.segmentation import Segmenter
from linescan.simulation import DEMO_SEEDS, SimulatedWeb, WebLines, preset
from linescan.sources.base import SourceInfo
from linescan.whole import WholeObject

LINES, OVERLAP, MODEL = 512, 64, 252
"""Rows of a frame, rows shared, and rows and columns of depth."""


def main() -> None:
    """Run and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--depth", choices=["truth", "surface-tiny"], default="truth")
    parser.add_argument("--preset", default="parts", help="what lies on the web")
    parser.add_argument("--lines", type=int, default=20_000, help="lines of each web")
    parser.add_argument("--webs", type=int, default=3, help="webs, each of a seed of its own")
    parser.add_argument("--phases", type=int, default=3, help="runs over each web")
    parser.add_argument("--noise", type=float, default=0.02, help="mm, with --depth truth")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=JSON",
                        help="a key of segmentation, such as background='\"belt\"'")  # fmt: skip
    arguments = parser.parse_args()
    changes = dict(item.split("=", 1) for item in arguments.set)
    section = SegmentationSection.model_validate({k: json.loads(v) for k, v in changes.items()})
    rng, score, objects = np.random.default_rng(0), SeamScore(), 0
    for seed in range(arguments.webs):
        web = SimulatedWeb(preset(arguments.preset, seed=DEMO_SEEDS[0] + seed, width=LINES))
        starts = rng.integers(0, LINES - OVERLAP, arguments.phases).tolist()
        make = partial(_Truth, arguments.noise) if arguments.depth == "truth" else _Model
        runs = [make(section, np.random.default_rng((seed, n))) for n in range(len(starts))]
        # All runs go on together, so that each stretch of web is drawn once.
        frames = sorted(
            (first, n)
            for n, start in enumerate(starts)
            for first in range(start, arguments.lines - LINES + 1, LINES - OVERLAP)
        )
        for first, n in track(frames, f"web {seed + 1} of {arguments.webs}"):
            runs[n].take(web.lines(first, LINES))
        for run in runs:
            run.close()
            objects += len(run.found)
        score += score_seams(
            [Phase(a, LINES, OVERLAP, run.found) for a, run in zip(starts, runs, strict=True)]
        )
    print(
        f"{arguments.depth}, {arguments.preset}: {objects} objects; {score.cut} cut by borders, "
        f"once {score.once / score.cut:.4f}, area within 5 % {score.right / score.cut:.4f}; "
        f"deviation of area: median {score.quantile(0.5):.4f}, 95 % {score.quantile(0.95):.4f}, "
        f"99 % {score.quantile(0.99):.4f}"
    )


class _Truth:
    """A run whose depth is the true height and noise."""

    def __init__(
        self, noise: float, section: SegmentationSection, rng: np.random.Generator
    ) -> None:
        self.found: list[WholeObject] = []
        self._noise, self._rng = noise, rng
        self._segmenter = Segmenter(section, OVERLAP)

    def take(self, lines: WebLines) -> None:
        step = LINES / MODEL
        small = cv2.resize(lines.height, (MODEL, MODEL), interpolation=cv2.INTER_AREA)
        values = (small + self._rng.normal(0, self._noise, small.shape)).astype(np.float32)
        place = WebMap(lines.first_line + step / 2 - 0.5, step, step / 2 - 0.5, step)
        valid = np.ones(MODEL, np.bool_)
        depth = DepthMap(values, Convention.HEIGHT, "mm", 1.0, 0.0, None, valid, place)
        self.found += self._segmenter.take(depth).completed

    def close(self) -> None:
        self.found += self._segmenter.close().objects


class _Model:
    """A run through the pipeline's own stages."""

    def __init__(self, section: SegmentationSection, _: np.random.Generator) -> None:
        config = Config.model_validate(
            {
                "source": {"type": "simulated"},
                "frame": {"lines": LINES, "overlap": OVERLAP},
                "depth": {"precision": "fp32"},
                "segmentation": section.model_dump(),
            }
        )
        self.found: list[WholeObject] = []
        self._stages = processing_stages(config, SourceInfo("simulated web", LINES))
        self._open = ExitStack()
        self._open.enter_context(set_up(self._stages))

    def take(self, lines: WebLines) -> None:
        valid = np.ones(LINES, np.bool_)
        frame = Frame(lines.pixels, lines.first_line, valid, OVERLAP, 0)
        for inspection in through(self._stages, frame):
            self.found += inspection.segmentation.completed

    def close(self) -> None:
        for left in self._stages[-1].finish():
            self.found += left.objects
        self._open.close()


if __name__ == "__main__":
    main()
