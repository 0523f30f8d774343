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
from linescan.evaluation.datasets.factors import AS_DRAWN, Variant, nominal, variant
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
    "nominal": Named(
        "held-out seeds, one frame of each web, one light and one camera for all",
        HELD_OUT_SEEDS,
        nominal,
    ),
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
        """Choose the set ``simulated:NAME``, ``+FACTOR=LEVEL`` and ``@WIDTH`` after it or not.

        Raises:
            DataSetError: there is no such set or factor, or its web is too narrow or too wide.
        """
        self.name = name
        asked, at, width = name.removeprefix(PREFIX).partition("@")
        chosen, plus, changed = asked.partition("+")
        if chosen not in NAMED:
            raise DataSetError(f"{name}: expected {PREFIX}NAME, NAME being {', '.join(NAMED)}")
        if at and not (width.isdecimal() and LEAST_WIDTH <= int(width) <= MOST_WIDTH):
            raise DataSetError(
                f"{name}: expected columns of the web after @, {LEAST_WIDTH} to {MOST_WIDTH}"
            )
        self._set = NAMED[chosen]
        if plus and self._set.frames > 1:
            raise DataSetError(f"{name}: factors are for sets with one frame of each web")
        self._variant = variant(name, changed) if plus else AS_DRAWN
        self._width = int(width) if at else WIDTH
        said = ", ".join(filter(None, (self._set.about, self._variant.about)))
        self.about = f"simulated web, {said}, {self._width} columns"
        self.count = len(self._set.seeds) * self._set.frames
        self.continuous = self._set.frames > 1
        self.overlap = self._width // OVERLAP_SHARE if self.continuous else 0

    def frames(self, wanted: Wanted = every) -> Iterator[tuple[int, TrueFrame]]:
        """Draw the frames, seed after seed."""
        each = self._set.frames
        for place, seed in enumerate(self._set.seeds):
            scene = self._variant.scene(self._set.scene(seed, self._width))
            web = SimulatedWeb(scene)
            for number in range(each):
                if wanted(place * each + number):
                    first = number * (self._width - self.overlap)
                    again = self.overlap if number else 0
                    frame = draw(web, first, self._width, again, self._variant)
                    yield place * each + number, frame


def draw(
    web: SimulatedWeb, first_line: int, rows: int, overlap: int, seen: Variant = AS_DRAWN
) -> TrueFrame:
    """One frame of a simulated web, with all that is known of it."""
    scene = web.scene
    lines = seen.lines(web, first_line, rows)
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
