"""The simulated web by name: seeds that no training has seen, flat print, long runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np

from linescan.evaluation.datasets.base import (
    DataSetError,
    HeightUnit,
    KnownLight,
    TrueFrame,
    Wanted,
    every,
)
from linescan.recording import TruthObject
from linescan.records import Frame, WebMap
from linescan.simulation import FeatureMix, Scene, SimulatedWeb, sample_scene
from linescan.simulation.ranges import (
    CONTINUOUS_SEEDS,
    HELD_OUT_SEEDS,
    PRINT_SEEDS,
    VALIDATION_SEEDS,
    print_scene,
    without_relief,
)

PREFIX = "simulated:"
WIDTH = 504
"""Columns of the web, and lines of a frame, where none are given: twice the model's own side."""
LEAST_WIDTH, MOST_WIDTH = 64, 8192
OVERLAP_SHARE = 16
"""A sixteenth of a frame's lines is shared with the frame before, on a web of several frames."""


@dataclass(frozen=True, slots=True)
class Named:
    """A named set: each seed is a web of its own, of which so many frames are judged."""

    about: str
    seeds: Sequence[int]
    scene: Callable[[int, int], Scene]
    frames: int = 1


def flat(seed: int, width: int) -> Scene:
    """A flat web without print."""
    scene = without_relief(sample_scene(seed, width))
    return replace(scene, albedo=replace(scene.albedo, print_mix=FeatureMix()))


NAMED: dict[str, Named] = {
    "held-out": Named("held-out seeds, one frame of each web", HELD_OUT_SEEDS, sample_scene),
    "held-out-narrow": Named(
        "held-out seeds, one frame of each web, the first ranges without materials",
        HELD_OUT_SEEDS,
        partial(sample_scene, ranges="narrow"),
    ),
    "validation": Named("validation seeds, one frame of each web", VALIDATION_SEEDS, sample_scene),
    "print": Named(
        "flat print in the shapes of relief, held-out seeds, one frame of each web",
        PRINT_SEEDS,
        print_scene,
    ),
    "continuous": Named("one web, frame after frame", CONTINUOUS_SEEDS[:1], sample_scene, 200),
    "flat": Named("one flat bare web, frame after frame", CONTINUOUS_SEEDS[:1], flat, 200),
}


class SimulatedFrames:
    """A named set of the simulated web; see ``DataSet``."""

    unit: HeightUnit = "mm"
    pictures = False

    def __init__(self, name: str) -> None:
        """Choose the set ``simulated:NAME`` or ``simulated:NAME@WIDTH``.

        Raises:
            DataSetError: there is no such set, or its web is too narrow or too wide.
        """
        self.name = name
        chosen, at, width = name.removeprefix(PREFIX).partition("@")
        if chosen not in NAMED:
            raise DataSetError(f"{name}: expected {PREFIX}NAME, NAME being {', '.join(NAMED)}")
        if at and not (width.isdecimal() and LEAST_WIDTH <= int(width) <= MOST_WIDTH):
            raise DataSetError(
                f"{name}: expected columns of the web after @, {LEAST_WIDTH} to {MOST_WIDTH}"
            )
        self._set = NAMED[chosen]
        self._width = int(width) if at else WIDTH
        self.about = f"simulated web, {self._set.about}, {self._width} columns"
        self.count = len(self._set.seeds) * self._set.frames
        self.continuous = self._set.frames > 1

    def frames(self, wanted: Wanted = every) -> Iterator[tuple[int, TrueFrame]]:
        """Draw the frames, seed after seed."""
        each = self._set.frames
        overlap = self._width // OVERLAP_SHARE if self.continuous else 0
        for place, seed in enumerate(self._set.seeds):
            web = SimulatedWeb(self._set.scene(seed, self._width))
            for number in range(each):
                if wanted(place * each + number):
                    first = number * (self._width - overlap)
                    frame = draw(web, first, self._width, overlap if number else 0)
                    yield place * each + number, frame


def draw(web: SimulatedWeb, first_line: int, rows: int, overlap: int) -> TrueFrame:
    """One frame of a simulated web, with all that is known of it."""
    scene = web.scene
    lines = web.lines(first_line, rows)
    objects = web.objects(first_line, rows)
    pitch = scene.pitch_mm
    return TrueFrame(
        name=f"seed {scene.seed}, line {first_line}",
        web=scene.seed,
        frame=Frame(lines.pixels, first_line, np.ones(rows, np.bool_), overlap, 0),
        bits=scene.camera.bit_depth,
        height=lines.height,
        height_web=WebMap(first_line, 1.0, 0.0, 1.0, pitch, pitch),
        labels=lines.labels,
        objects=tuple(TruthObject(**asdict(each)) for each in objects),
        pitch_mm=(pitch, pitch),
        light=KnownLight(scene.light.azimuth_deg, scene.light.elevation_deg, scene.light.ambient),
    )
