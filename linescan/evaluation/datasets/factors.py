"""What can be changed about a simulated web, one factor at a time, around a nominal scene.

``simulated:nominal+gloss=0.4`` is the nominal web with that gloss. The nominal scene keeps the
relief, texture and print of its seed; light and camera are the same for all seeds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from linescan.evaluation.datasets.base import DataSetError
from linescan.simulation import (
    Camera,
    Dust,
    FeatureMix,
    Light,
    Material,
    Optics,
    Scene,
    Shade,
    SimulatedWeb,
    WebLines,
    sample_scene,
)
from linescan.simulation.extras import MaterialKind
from linescan.simulation.viewing import Direction, lay_cables, lean

Lines = Callable[[SimulatedWeb, int, int], WebLines]
"""From a web, its first line and a number of lines, to these lines."""
MATERIAL_CONTRAST, MATERIAL_RELIEF = 0.06, 0.01
"""Of a surface type: deviation of its reflectance; rms height over that of the features."""
SURFACES: tuple[MaterialKind, ...] = ("plain", "brushed", "rolled", "wood", "woven", "belt")
CROWD = FeatureMix(disc=20.0, bar=20.0, ring=10.0, letter=10.0)
"""Instead of a seed's relief where parts overlap: so dense that most candidates touch another."""
NOMINAL_LIGHT = Light(azimuth_drift_deg=0.0, elevation_drift_deg=0.0, gloss=0.0)
NOMINAL_CAMERA = Camera()


def nominal(seed: int, width: int) -> Scene:
    """The relief, texture and print of a seed, under one light and one camera."""
    scene = sample_scene(seed, width, ranges="narrow")
    return replace(scene, light=NOMINAL_LIGHT, camera=NOMINAL_CAMERA)


@dataclass(frozen=True, slots=True)
class Variant:
    """One factor at one level.

    Attributes:
        about: in words.
        scene: changes the scene.
        lines: takes the lines of a web.
    """

    about: str
    scene: Callable[[Scene], Scene]
    lines: Lines


def _as_they_are(web: SimulatedWeb, first_line: int, count: int) -> WebLines:
    return web.lines(first_line, count)


AS_DRAWN = Variant("", lambda scene: scene, _as_they_are)


@dataclass(frozen=True, slots=True)
class Factor:
    """What can be changed.

    Attributes:
        title: what it is.
        unit: of its levels.
        nominal: its level in the nominal scene.
        levels: those that the robustness suite asks for.
        low: least level that can be asked for.
        high: largest one.
        scene: changes a scene to a level.
        view: changes how lines of a web are seen at a level; None: as they are.
        names: of the levels 0, 1, …, where they are no numbers.
    """

    title: str
    unit: str
    nominal: float
    levels: tuple[float, ...]
    low: float
    high: float
    scene: Callable[[Scene, float], Scene] = lambda scene, _level: scene
    view: Callable[[SimulatedWeb, int, int, float], WebLines] | None = None
    names: tuple[str, ...] = ()

    def variant(self, level: float) -> Variant:
        """This factor at a level."""
        view = self.view
        return Variant(
            f"{self.title} {self.text(level)} {self.unit}".rstrip(),
            lambda scene: self.scene(scene, level),
            _as_they_are
            if view is None
            else lambda web, first_line, count: view(web, first_line, count, level),
        )

    def text(self, level: float) -> str:
        """A level as it is written after the ``=``."""
        return self.names[int(level)] if self.names else f"{level:g}"

    def level(self, text: str) -> float | None:
        """What ``text`` does; None where it cannot."""
        if self.names:
            return self.names.index(text) if text in self.names else None
        try:
            level = float(text)
        except ValueError:
            return None
        return level if self.low <= level <= self.high else None


def _light(name: str) -> Callable[[Scene, float], Scene]:
    def change(scene: Scene, level: float) -> Scene:
        field: dict[str, Any] = {name: level}
        return replace(scene, light=replace(scene.light, **field))

    return change


def _camera(name: str) -> Callable[[Scene, float], Scene]:
    def change(scene: Scene, level: float) -> Scene:
        field: dict[str, Any] = {name: level}
        return replace(scene, camera=replace(scene.camera, **field))

    return change


def _shadow(scene: Scene, level: float) -> Scene:
    return replace(scene, shade=Shade(density=3.0, strength=level, softness_px=8.0))


def _dirt(scene: Scene, level: float) -> Scene:
    return replace(scene, dust=Dust(density=level, radius=4.0, contrast=0.6))


def _surface(scene: Scene, level: float) -> Scene:
    kind = SURFACES[int(level)]
    relief = MATERIAL_RELIEF * scene.relief_height
    return replace(scene, material=Material(kind, MATERIAL_CONTRAST, relief, 10.0))


def _overlap(scene: Scene, level: float) -> Scene:
    return replace(scene, stacked=level, relief=CROWD)


def _defocus(scene: Scene, level: float) -> Scene:
    return replace(scene, optics=Optics(defocus_px=level))


def _lean(direction: Direction) -> Factor:
    def view(web: SimulatedWeb, first_line: int, count: int, level: float) -> WebLines:
        return lean(web, first_line, count, level, direction)

    return Factor(f"camera leans {direction} the web", "°", 0, (10, 20, 30, 45), 0, 60, view=view)


FACTORS: dict[str, Factor] = {
    "elevation": Factor(
        "light elevation", "°", 35, (10, 20, 50, 65, 80), 6, 84, _light("elevation_deg")
    ),
    "azimuth": Factor(
        "light azimuth", "°", 0, (20, 40, 60, 90, 180), -180, 180, _light("azimuth_deg")
    ),
    "shadow": Factor("shadows from outside", "of direct light", 0, (0.3, 0.6, 0.9), 0, 1, _shadow),
    "overlap": Factor(
        "parts over each other", "of those in touch", 0, (0, 0.3, 0.6, 1), 0, 1, _overlap
    ),
    "cables": Factor(
        "cables in the way",
        "",
        0,
        (1, 2, 4),
        0,
        20,
        view=lambda web, first, count, level: lay_cables(
            web.scene, web.lines(first, count), round(level)
        ),
    ),
    "dirt": Factor("flat dirt", "specks on 512 × 512", 0, (20, 80, 240), 0, 256, _dirt),
    "brightness": Factor(
        "brightness",
        "of full scale",
        0.4,
        (0.03, 0.1, 0.2, 0.7, 0.95),
        0.005,
        2,
        _camera("exposure"),
    ),
    "flicker": Factor(
        "flicker", "amplitude", 0.002, (0.02, 0.05, 0.1, 0.2), 0, 0.9, _camera("flicker")
    ),
    "gloss": Factor(
        "gloss", "of the web's brightness", 0, (0.2, 0.5, 1, 2), 0, 10, _light("gloss")
    ),
    "noise": Factor(
        "read noise", "of full scale", 0.002, (0.01, 0.02, 0.05, 0.1), 0, 1, _camera("read_noise")
    ),
    "defocus": Factor("defocus σ", "px of 512", 0, (0.5, 1, 2, 3), 0, 3, _defocus),
    "gain": Factor(
        "gain error of columns", "rms", 0.004, (0.01, 0.03, 0.1), 0, 0.5, _camera("prnu")
    ),
    "surface": Factor(
        "surface type", "", 0, (1, 2, 3, 4, 5), 0, 5, _surface, names=tuple(map(str, SURFACES))
    ),
    "lean-along": _lean("along"),
    "lean-across": _lean("across"),
}


def variant(name: str, asked: str) -> Variant:
    """The variant ``FACTOR=LEVEL`` of the data set ``name``.

    Raises:
        DataSetError: there is no such factor, or it has no such level.
    """
    key, _, text = asked.partition("=")
    if key not in FACTORS:
        raise DataSetError(f"{name}: expected a factor after +, one of {', '.join(FACTORS)}")
    factor = FACTORS[key]
    level = factor.level(text)
    if level is None:
        known = ", ".join(factor.names) or f"{factor.low:g} to {factor.high:g}"
        raise DataSetError(f"{name}: expected {key}=LEVEL, LEVEL being {known}")
    return factor.variant(level)
