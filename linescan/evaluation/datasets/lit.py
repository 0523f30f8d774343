"""A measured height map without a photograph: the simulator's light and camera make one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from linescan.evaluation.datasets.base import (
    DataSetError,
    HeightUnit,
    KnownLight,
    TrueFrame,
    Wanted,
    every,
)
from linescan.evaluation.datasets.level import level
from linescan.evaluation.datasets.pairs import read_height
from linescan.records import FloatArray, Frame, GrayArray, WebMap
from linescan.simulation import Scene
from linescan.simulation.light import LineLight
from linescan.simulation.noise import Grid
from linescan.simulation.scene import REFERENCE_WIDTH
from linescan.simulation.sensor import LineSensor

PREFIX = "lit:"
SUFFIX = re.compile(r"_height_(um|mm|m)\.npy$")
_MM = {"um": 1e-3, "mm": 1.0, "m": 1e3}
OVERLAP_SHARE = 16
LEAST_WIDTH = 64


class LitHeights:
    """A height map under the simulator's default light, cut into square frames; see ``DataSet``.

    Only the relief is real: light, reflectance (the same everywhere) and noise are simulated.
    """

    unit: HeightUnit = "mm"
    continuous = True
    pictures = False

    def __init__(self, name: str, *, levelled: bool, pitch_mm: float | None) -> None:
        """Read and light ``lit:PATH/NAME_height_UNIT.npy``, UNIT being um, mm or m.

        Args:
            name: with its prefix.
            levelled: take the plane of least squares off the height.
            pitch_mm: size of a pixel; shading is slope, so it must be known.

        Raises:
            DataSetError: the file is no height map, or the pitch is missing.
        """
        self.name = name
        path = Path(name.removeprefix(PREFIX))
        unit = SUFFIX.search(path.name)
        if unit is None:
            raise DataSetError(
                f"{path}: expected NAME_height_um.npy, _height_mm.npy or _height_m.npy"
            )
        if pitch_mm is None:
            raise DataSetError(f"{name}: light needs slopes: give the size of a pixel with --pitch")
        height = read_height(path) * np.float32(_MM[unit[1]])
        lines, width = height.shape
        if width < LEAST_WIDTH or lines < LEAST_WIDTH:
            raise DataSetError(
                f"{path}: {lines}x{width} heights, at least {LEAST_WIDTH}x{LEAST_WIDTH} are needed"
            )
        self._height = level(height) if levelled else height
        scene = Scene(width=width)
        self._pixels = light_up(self._height, pitch_mm, scene)
        light = scene.light
        self._light = KnownLight(light.azimuth_deg, light.elevation_deg, light.ambient)
        self._pitch = pitch_mm
        self._rows = min(width, lines)
        self.overlap = self._rows // OVERLAP_SHARE
        self.count = (lines - self.overlap) // (self._rows - self.overlap)
        self.about = (
            f"measured height, lit by the simulator (no photograph), frames of {self._rows}x{width}"
        )

    def frames(self, wanted: Wanted = every) -> Iterator[tuple[int, TrueFrame]]:
        """Cut the frames; lines that fill none at the end are left out."""
        pitch = self._pitch
        for number in filter(wanted, range(self.count)):
            first = number * (self._rows - self.overlap)
            rows = slice(first, first + self._rows)
            overlap = self.overlap if number else 0
            yield (
                number,
                TrueFrame(
                    name=f"line {first}",
                    web=0,
                    frame=Frame(
                        self._pixels[rows], first, np.ones(self._rows, np.bool_), overlap, 0
                    ),
                    bits=8,
                    height=self._height[rows],
                    height_web=WebMap(first, 1.0, 0.0, 1.0, pitch, pitch),
                    pitch_mm=(pitch, pitch),
                    light=self._light,
                ),
            )


def light_up(height_mm: FloatArray, pitch_mm: float, scene: Scene | None = None) -> GrayArray:
    """What the simulator's line-scan camera sees of a height map, (rows, columns) uint8.

    Args:
        height_mm: (rows, columns); unknown heights are lit as the nearest known one.
        pitch_mm: size of a pixel along and across.
        scene: light and camera; the simulator's defaults where None.
    """
    rows, width = height_mm.shape
    scene = scene or Scene(width=width)
    grid = Grid.of_width(width)
    light, sensor = LineLight(scene, grid), LineSensor(scene, grid)
    reference_mm = pitch_mm * width / REFERENCE_WIDTH
    relief = _filled(height_mm) / np.float32(reference_mm)
    margin = light.margin
    around = np.pad(relief, ((margin, margin), (0, 0)), mode="edge")
    radiance = light.strip(around, np.ones((rows, width), np.float32), 0)
    return sensor.expose(radiance, 0, 0)


def _filled(height: FloatArray) -> FloatArray:
    from scipy.ndimage import distance_transform_edt

    unknown = ~np.isfinite(height)
    if not unknown.any():
        return height
    nearest: npt.NDArray[np.int32] = distance_transform_edt(
        unknown, return_distances=False, return_indices=True
    )
    return np.asarray(height[tuple(nearest)], np.float32)
