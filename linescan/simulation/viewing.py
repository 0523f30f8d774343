"""What stands between a simulated web and its picture: a leaning camera, and things in the way.

Both change lines that were rendered; no seed draws anything else because of them.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from linescan.simulation.noise import layer_rng
from linescan.simulation.scene import Scene
from linescan.simulation.web import SimulatedWeb, WebLines

Direction = Literal["along", "across"]

STEEPEST_DEG = 60.0
REACH_PX = 12.0
"""Highest relief that is looked for along a line of sight, in reference pixels."""
CABLE_PX = 5.0
"""Radius of a cable, in reference pixels."""
CABLE_HEIGHT_PX = 10.0
"""How far along the web a cable throws its shadow, in reference pixels."""
CABLE_SHADOW = 0.5


def lean(
    web: SimulatedWeb, first_line: int, count: int, degrees: float, direction: Direction
) -> WebLines:
    """Return lines as a camera sees them whose plane of sight leans by ``degrees``.

    A line-scan camera takes one line each encoder tick, whatever its angle: a flat web looks the
    same. What is raised moves by ``height x tan(angle)`` and hides what lies behind it. Each pixel
    shows the first point that its line of sight meets from above; height and label are that
    point's. Rays are parallel (no perspective) and points are taken whole, so that noise stays.

    Args:
        web: what is looked at.
        first_line: absolute index of the first line.
        count: lines.
        degrees: from the upright, 0 to 60.
        direction: in which the camera leans: raised points move to later lines (``along``) or to
            higher columns (``across``), where the outermost column repeats.

    Raises:
        ValueError: the angle is out of range.
    """
    if not 0 <= degrees <= STEEPEST_DEG:
        raise ValueError(f"a camera leans by 0 to {STEEPEST_DEG:g} degrees, got {degrees:g}")
    tangent = float(np.tan(np.radians(degrees)))
    margin = int(np.ceil(REACH_PX * web.scene.pixels_per_reference * tangent)) + 1
    around = margin if direction == "along" else 0
    lines = web.lines(first_line - around, count + 2 * around)
    height = lines.height / np.float32(web.scene.pitch_mm)
    if direction == "across":
        height = np.pad(height.T, ((margin, margin), (0, 0)), mode="edge")
    source = _first_met(height, margin, tangent)
    if direction == "across":
        place = (np.arange(count)[:, None], np.clip(source.T - margin, 0, web.scene.width - 1))
    else:
        place = (source, np.arange(web.scene.width)[None])
    return WebLines(
        first_line,
        lines.pixels[place],
        lines.height[place],
        lines.labels[place],
        lines.encoder[around : around + count],
    )


def _first_met(height: NDArray[np.float32], margin: int, tangent: float) -> NDArray[np.int64]:
    """Row of the point that each line of sight meets first.

    Args:
        height: (rows + 2 margins, n), pixels.
        margin: rows around those that are asked for.
        tangent: of the angle of sight.

    Returns:
        (rows, n), rows of ``height``.
    """
    rows = np.arange(margin, len(height) - margin)
    columns = np.arange(height.shape[1])[None]
    high = min(float(height.max()), (margin - 1) / max(tangent, 1e-6))
    low = max(float(height.min()), -(margin - 1) / max(tangent, 1e-6))
    levels = np.linspace(high, low, int(np.ceil((high - low) * tangent / 0.5)) + 1)
    source = np.repeat(np.rint(rows - low * tangent).astype(np.int64)[:, None], columns.size, 1)
    open_ = np.ones(source.shape, np.bool_)
    for level in levels:
        row = np.rint(rows - level * tangent).astype(np.int64)[:, None]
        met = open_ & (height[row, columns] >= level)
        source[met] = np.broadcast_to(row, source.shape)[met]
        open_ &= ~met
    return source


def lay_cables(scene: Scene, lines: WebLines, cables: int) -> WebLines:
    """Return lines with cables hanging over them, lit like round rods, and their soft shadows.

    A cable is no part of the web: where it hides it, height is NaN and there is no object. Its
    places depend on the scene's seed and the first line, so this is for webs seen in one piece.
    """
    hidden, depth = np.zeros(lines.pixels.shape, np.uint8), scene.pixels_per_reference
    reflectance = np.zeros(lines.pixels.shape, np.float32)
    rng = layer_rng(scene.seed, "cables", lines.first_line)
    for _ in range(cables):
        one = np.zeros_like(hidden)
        path = _path(rng, hidden.shape)
        cv2.polylines(one, [path], False, 1, max(1, round(2 * CABLE_PX * depth)))
        inside = cv2.distanceTransform(one, cv2.DIST_L2, 3) / np.float32(CABLE_PX * depth)
        off = np.clip(1 - inside, 0, 1)
        bright = np.float32(rng.uniform(0.2, 1.4)) * np.sqrt(1 - off * off)
        reflectance = np.where(one > 0, bright, reflectance)
        hidden |= one
    away = round(CABLE_HEIGHT_PX * depth)
    shadow = np.zeros(hidden.shape, np.float32)
    shadow[away:] = hidden[: len(hidden) - away]
    shadow = np.asarray(cv2.GaussianBlur(shadow, (0, 0), 2.0 * depth), np.float32)
    full = (1 << scene.camera.bit_depth) - 1
    lit = lines.pixels * (1 - np.float32(CABLE_SHADOW) * shadow)
    painted = np.where(hidden > 0, reflectance * np.float32(scene.camera.exposure * full), lit)
    painted = np.clip(painted, 0, full)
    narrow = scene.camera.bit_depth == 8
    return WebLines(
        lines.first_line,
        painted.astype(np.uint8) if narrow else painted.astype(np.uint16),
        np.where(hidden > 0, np.float32(np.nan), lines.height),
        np.where(hidden > 0, np.uint16(0), lines.labels),
        lines.encoder,
    )


def _path(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.int32]:
    """Points (x, y) of a slack line from one border of the picture to the opposite one."""
    t = np.linspace(-0.05, 1.05, 40)
    start, end, slack = rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.9), rng.uniform(-0.3, 0.3)
    aside = start + (end - start) * t + slack * 4 * t * (1 - t)
    x, y = (t, aside) if rng.random() < 0.5 else (aside, t)
    return np.rint(np.stack([x * shape[1], y * shape[0]], 1)).astype(np.int32)
