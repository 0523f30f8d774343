"""The simulated web: any stretch of an endless surface, as pixels, heights, labels and objects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linescan.simulation.albedo import AlbedoField
from linescan.simulation.cache import LruCache
from linescan.simulation.features import Feature, FeatureField
from linescan.simulation.light import LineLight
from linescan.simulation.material import MaterialField
from linescan.simulation.noise import Grid
from linescan.simulation.optics import LineOptics
from linescan.simulation.painting import render_patch
from linescan.simulation.relief import HALF_HEIGHT, ReliefField, ReliefStrip
from linescan.simulation.scene import Scene
from linescan.simulation.sensor import LineSensor, Pixels, Transport
from linescan.simulation.specks import DustField, ShadeField

STRIPS_KEPT = 4
"""Strips of each kind kept in memory."""


@dataclass(frozen=True, slots=True)
class WebLines:
    """A stretch of a simulated web.

    Attributes:
        first_line: absolute index of the first line.
        pixels: (count, width) uint8, or uint16 for 12 and 16 bits.
        height: (count, width) float32, mm, positive towards the camera.
        labels: (count, width) uint16: instance ids of the objects in true relief, 0 for none.
            Print has none. A feature is an object if it is at least ``Scene.prominence`` (five
            times the rms roughness) high or deep; its footprint is where its own height is at
            least half its peak. Ids repeat after some thousand cells.
        encoder: (count,) int64, ticks.
    """

    first_line: int
    pixels: Pixels
    height: NDArray[np.float32]
    labels: NDArray[np.uint16]
    encoder: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TrueObject:
    """One object in true relief, whole, even where it reaches out of the stretch asked for.

    Attributes:
        id: its number in ``WebLines.labels``.
        kind: one of ``scene.KINDS``.
        first_line: first line of its footprint.
        last_line: last line of its footprint, inclusive.
        first_column: first column of its footprint.
        last_column: last column of its footprint, inclusive.
        area_px: pixels of the footprint on the web.
        peak_mm: signed height over its surroundings, mm; negative for what is sunk.
    """

    id: int
    kind: str
    first_line: int
    last_line: int
    first_column: int
    last_column: int
    area_px: int
    peak_mm: float


@dataclass(frozen=True, slots=True)
class _Strip:
    pixels: Pixels
    height: NDArray[np.float32]
    labels: NDArray[np.uint16]
    encoder: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _LitStrip:
    relief: ReliefStrip
    radiance: NDArray[np.float32]


class SimulatedWeb:
    """An endless, seeded web. Any cutting of a stretch gives bit-identical arrays.

    It is rendered in fixed strips, a few of which are kept: memory does not grow with the distance.
    Not for use by several threads at once.
    """

    def __init__(self, scene: Scene) -> None:
        """Prepare the web of ``scene``; nothing is rendered yet."""
        self.scene = scene
        self.grid = Grid.of_width(scene.width)
        self._features = FeatureField(scene)
        on_web = (MaterialField(scene, self.grid), DustField(scene, self.grid))
        self._relief_field = ReliefField(scene, self.grid, self._features, *on_web)
        self._albedo = AlbedoField(scene, self.grid, self._features, *on_web)
        self._shade = ShadeField(scene, self.grid)
        self._optics = LineOptics(scene, self.grid)
        self._light = LineLight(scene, self.grid)
        self._sensor = LineSensor(scene, self.grid)
        self._transport = Transport(scene, self.grid)
        self._reliefs: LruCache[int, ReliefStrip] = LruCache(STRIPS_KEPT)
        self._lits: LruCache[int, _LitStrip] = LruCache(STRIPS_KEPT)
        self._seen: LruCache[int, _LitStrip] = LruCache(STRIPS_KEPT)
        self._strips: LruCache[int, _Strip] = LruCache(STRIPS_KEPT)

    def lines(self, first_line: int, count: int) -> WebLines:
        """Return ``count`` lines from the absolute line ``first_line`` (which may be negative)."""
        if count < 1:
            raise ValueError(f"count must be at least 1, got {count}")
        size = self.grid.strip_lines
        parts: list[tuple[_Strip, slice]] = []
        for strip in range(first_line // size, (first_line + count - 1) // size + 1):
            start = max(first_line - strip * size, 0)
            stop = min(first_line + count - strip * size, size)
            parts.append((self._strips.get(strip, self._render), slice(start, stop)))
        return WebLines(
            first_line,
            np.concatenate([s.pixels[rows] for s, rows in parts]),
            np.concatenate([s.height[rows] for s, rows in parts]),
            np.concatenate([s.labels[rows] for s, rows in parts]),
            np.concatenate([s.encoder[rows] for s, rows in parts]),
        )

    def objects(self, first_line: int, count: int) -> list[TrueObject]:
        """Return the objects whose footprint reaches into the stretch, by their first line.

        Coordinates are those of the even grid: with encoder jitter the labels differ by it.
        """
        cell_lines = self.grid.cell_lines
        first_cell = first_line // cell_lines - 1
        last_cell = (first_line + count - 1) // cell_lines + 1
        found = [
            true
            for cell in range(first_cell, last_cell + 1)
            for feature in self._features.with_height(cell)
            if self._features.is_object(feature)
            and (true := self._measure(feature)) is not None
            and true.first_line < first_line + count
            and true.last_line >= first_line
        ]
        return sorted(found, key=lambda o: (o.first_line, o.first_column))

    def _measure(self, feature: Feature) -> TrueObject | None:
        """Return the object of a feature, or None if no pixel of it lies on the web."""
        cell_lines = self.grid.cell_lines
        patch = render_patch(feature, self.grid, -cell_lines, 3 * cell_lines)
        if patch is None:
            return None
        inside = patch.values >= HALF_HEIGHT
        rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
        if not len(rows):
            return None
        top = (feature.cell - 1) * cell_lines + patch.rows.start
        left = patch.columns.start
        return TrueObject(
            id=feature.label,
            kind=feature.shape.kind,
            first_line=int(top + rows[0]),
            last_line=int(top + rows[-1]),
            first_column=int(left + columns[0]),
            last_column=int(left + columns[-1]),
            area_px=int(inside.sum()),
            peak_mm=feature.peak * self.scene.reference_pitch_mm,
        )

    def _relief(self, strip: int) -> ReliefStrip:
        return self._reliefs.get(strip, self._relief_field.strip)

    def _light_strip(self, strip: int) -> _LitStrip:
        before, here, after = (self._relief(s) for s in (strip - 1, strip, strip + 1))
        margin = self._light.margin
        height = np.concatenate([before.height[-margin:], here.height, after.height[:margin]])
        shade = self._shade.strip(strip) if self._shade.present else None
        albedo, first_line = self._albedo.strip(strip), self.grid.first_line(strip)
        return _LitStrip(here, self._light.strip(height, albedo, first_line, shade))

    def _seen_strip(self, strip: int) -> _LitStrip:
        """Return the strip as the lens shows it."""
        here = self._lits.get(strip, self._light_strip)
        if not self._optics.present:
            return here
        around = [self._lits.get(s, self._light_strip) for s in (strip - 1, strip, strip + 1)]
        joined = _join([a.radiance for a in around], self._optics.margin)
        return _LitStrip(here.relief, self._optics.blur(joined))

    def _render(self, strip: int) -> _Strip:
        relief, radiance = self._moved(strip)
        pixels = self._sensor.expose(radiance, strip, self.grid.first_line(strip))
        height = relief.height * np.float32(self.scene.reference_pitch_mm)
        return _Strip(pixels, height, relief.labels, self._transport.encoder(strip))

    def _moved(self, strip: int) -> tuple[ReliefStrip, NDArray[np.float32]]:
        """Return relief and brightness where the lines of ``strip`` truly lie."""
        here = self._seen.get(strip, self._seen_strip)
        displacement = self._transport.displacement(strip)
        if displacement is None:
            return here.relief, here.radiance
        around = [self._seen.get(s, self._seen_strip) for s in (strip - 1, strip, strip + 1)]
        m, n = self._transport.margin, self.grid.strip_lines
        place = np.arange(n) + m + displacement
        height = _resample(_join([a.relief.height for a in around], m), place)
        radiance = _resample(_join([a.radiance for a in around], m), place)
        labels = np.concatenate([a.relief.labels for a in around])[n - m : 2 * n + m]
        return ReliefStrip(height, labels[np.rint(place).astype(np.int64)]), radiance


def _join(strips: list[NDArray[np.float32]], margin: int) -> NDArray[np.float32]:
    """Return the middle one of three strips with ``margin`` lines of its neighbours."""
    if margin == 0:
        return strips[1]
    return np.concatenate([strips[0][-margin:], strips[1], strips[2][:margin]])


def _resample(lines: NDArray[np.float32], place: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the lines at fractional rows, linearly between their neighbours."""
    lower = np.clip(np.floor(place).astype(np.int64), 0, len(lines) - 2)
    t = (place - lower).astype(np.float32)[:, None]
    return np.asarray(lines[lower] * (1 - t) + lines[lower + 1] * t, dtype=np.float32)
