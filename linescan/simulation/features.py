"""Which features lie on the web, and where: an endless, reproducible hard-core process.

Candidates are drawn cell by cell (Poisson); of any two that would touch only the one of higher
priority stays (Matern's type II thinning, B. Matern, "Spatial Variation", 1960). Each decision
looks only at neighbouring cells, so no cell depends on how far one has come.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from linescan.simulation.cache import LruCache
from linescan.simulation.noise import CELL_PX, layer_rng
from linescan.simulation.scene import KINDS, REFERENCE_WIDTH, FeatureMix, Scene
from linescan.simulation.shapes import Shape, draw_shape

MAX_PER_CELL = 64
MAX_CUT_OUTS = 8
"""Of the ``MAX_PER_CELL``, where there are cut-outs at all."""
GAP_PX = 6.0
"""Least distance between the boxes of two relief features, in reference pixels."""

_SMOOTHSTEP_SLOPE = 1.5  # steepest slope of the cubic smooth step over a flank of length 1
_CAP_SLOPE = 1.54  # steepest slope of (1 - r^2)^2


@dataclass(frozen=True, slots=True)
class Feature:
    """One shape at its place on the web.

    Attributes:
        cell: the cell of its centre.
        index: its number among the cell's candidates.
        x: column of the centre, reference pixels.
        y: line of the centre from the start of the cell, reference pixels.
        shape: outline.
        peak: signed height in reference pixels; for print, the relative change of the albedo.
        priority: who stays where two candidates touch.
    """

    cell: int
    index: int
    x: float
    y: float
    shape: Shape
    peak: float
    priority: float

    @property
    def label(self) -> int:
        """Instance id, 1 to 65535; it repeats only after some thousand cells."""
        return 1 + (self.cell * MAX_PER_CELL + self.index) % 65535

    def touches(self, other: Feature) -> bool:
        """Whether the two boxes come closer than ``GAP_PX``."""
        dy = abs((self.cell - other.cell) * CELL_PX + self.y - other.y)
        dx = abs(self.x - other.x)
        along = self.shape.extent + other.shape.extent + GAP_PX
        across = self.shape.extent_across + other.shape.extent_across + GAP_PX
        return dy < along and dx < across


def _relief_peak(rng: np.random.Generator, scene: Scene, shape: Shape) -> float:
    """Return the signed height of one relief feature, no steeper than the scene's slope."""
    shallow = rng.random() < scene.shallow
    if shallow:
        size = scene.roughness * rng.uniform(1.0, 3.0)
    else:
        size = scene.relief_height * rng.uniform(0.7, 1.3)
    if shape.kind in ("dent", "bump"):
        steepest = scene.slope * shape.radius * shape.aspect / _CAP_SLOPE
        # A wide cap of a flat part's height would have no slope that light could show.
        size = min(size if shallow else max(size, 0.4 * steepest), steepest)
    else:
        size = min(size, scene.slope * shape.flank / _SMOOTHSTEP_SLOPE)
    embossed = shape.kind in ("disc", "bar", "ring", "letter") and rng.random() >= scene.sunk
    raised = embossed or shape.kind in ("bump", "splice")
    return float(size if raised else -size)


def _draw(rng: np.random.Generator, mix: FeatureMix) -> list[str]:
    """Return the kinds of one cell's candidates."""
    per_cell = CELL_PX / REFERENCE_WIDTH
    kinds = [k for k in KINDS for _ in range(int(rng.poisson(mix.density(k) * per_cell)))]
    return kinds[:MAX_PER_CELL]


class FeatureField:
    """All features of a web, by cell."""

    def __init__(self, scene: Scene) -> None:
        """Prepare the features of ``scene``; nothing is drawn yet."""
        self._scene = scene
        self._candidates: LruCache[int, tuple[Feature, ...]] = LruCache(16)
        self._relief: LruCache[int, tuple[Feature, ...]] = LruCache(16)
        self._print: LruCache[int, tuple[Feature, ...]] = LruCache(16)
        self._cut_outs: LruCache[int, tuple[Feature, ...]] = LruCache(16)

    def relief(self, cell: int) -> tuple[Feature, ...]:
        """Return the features with height whose centre lies in ``cell``."""
        return self._relief.get(cell, self._thin)

    def cut_outs(self, cell: int) -> tuple[Feature, ...]:
        """Return the holes whose centre lies in ``cell``; relief gives way to them."""
        if not self._scene.cut_outs.density:
            return ()
        return self._cut_outs.get(cell, self._thin_cut_outs)

    def with_height(self, cell: int) -> tuple[Feature, ...]:
        """Return relief and holes together."""
        return self.relief(cell) + self.cut_outs(cell)

    def print(self, cell: int) -> tuple[Feature, ...]:
        """Return the flat printed shapes whose centre lies in ``cell``."""
        return self._print.get(cell, self._draw_print)

    def is_object(self, feature: Feature) -> bool:
        """Whether the feature stands out of the roughness (``Scene.prominence``)."""
        return abs(feature.peak) >= self._scene.prominence

    def _thin(self, cell: int) -> tuple[Feature, ...]:
        rivals = [
            f
            for c in range(cell - 2, cell + 3)
            for f in self._candidates.get(c, self._draw_candidates)
        ]
        holes = [f for c in range(cell - 2, cell + 3) for f in self.cut_outs(c)]
        return tuple(
            f
            for f in self._candidates.get(cell, self._draw_candidates)
            if (
                f.priority % 1 > 1 - self._scene.stacked
                or not any(r.priority > f.priority and r.touches(f) for r in rivals)
            )
            and not any(hole.touches(f) for hole in holes)
        )

    def _thin_cut_outs(self, cell: int) -> tuple[Feature, ...]:
        rivals = [f for c in range(cell - 2, cell + 3) for f in self._draw_cut_outs(c)]
        return tuple(
            f
            for f in rivals
            if f.cell == cell and not any(r.priority > f.priority and r.touches(f) for r in rivals)
        )

    def _draw_cut_outs(self, cell: int) -> tuple[Feature, ...]:
        scene = self._scene
        rng = layer_rng(scene.seed, "cut-outs", cell)
        count = int(rng.poisson(scene.cut_outs.density * CELL_PX / REFERENCE_WIDTH))
        features = []
        for index in range(min(count, MAX_CUT_OUTS)):
            kind = str(rng.choice(["disc", "bar", "letter"]))
            shape = draw_shape(rng, kind, scene.size, 1.5)
            number = MAX_PER_CELL - 1 - index
            features.append(self._place(rng, cell, number, shape, -scene.cut_outs.depth))
        return tuple(features)

    def _draw_candidates(self, cell: int) -> tuple[Feature, ...]:
        scene = self._scene
        rng = layer_rng(scene.seed, "relief", cell)
        features = []
        kept = MAX_PER_CELL - (MAX_CUT_OUTS if scene.cut_outs.density else 0)
        for index, kind in enumerate(_draw(rng, scene.relief)[:kept]):
            flank = float(max(_SMOOTHSTEP_SLOPE * scene.relief_height / scene.slope, 1.5))
            shape = draw_shape(rng, kind, scene.size, flank)
            peak = _relief_peak(rng, scene, shape)
            features.append(self._place(rng, cell, index, shape, peak))
        return tuple(features)

    def _draw_print(self, cell: int) -> tuple[Feature, ...]:
        albedo = self._scene.albedo
        rng = layer_rng(self._scene.seed, "print", cell)
        features = []
        for index, kind in enumerate(_draw(rng, albedo.print_mix)):
            shape = draw_shape(rng, kind, self._scene.size, float(rng.uniform(0.8, 3.0)))
            # Ink mostly darkens; light ink on a dark ground does occur.
            sign = -1.0 if rng.random() < 0.75 else 0.6
            change = sign * albedo.print_contrast * rng.uniform(0.5, 1.0)
            features.append(self._place(rng, cell, index, shape, float(change)))
        return tuple(features)

    @staticmethod
    def _place(
        rng: np.random.Generator, cell: int, index: int, shape: Shape, peak: float
    ) -> Feature:
        x = float(rng.uniform(0, REFERENCE_WIDTH))
        y = float(rng.uniform(0, CELL_PX))
        # Small shapes would nearly all lose against the large: priority must not know the size.
        priority = float(rng.random()) + (1.0 if shape.kind == "splice" else 0.0)
        return Feature(cell, index, x, y, shape, peak, priority)
