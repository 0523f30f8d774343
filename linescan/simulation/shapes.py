"""Shapes that relief and print share, as signed distances with soft flanks.

Signed distances after I. Quilez, "2D distance functions" (iquilezles.org/articles/distfunctions2d).
A flank is a cubic smooth step whose half height lies on the outline.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linescan.simulation.scene import REFERENCE_WIDTH

MAX_EXTENT = 92.0
"""No shape reaches further than this from its centre along the web, in reference pixels."""

Array = NDArray[np.float32]
Segment = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Shape:
    """One shape about its own centre, in reference pixels.

    Attributes:
        kind: one of ``scene.KINDS``.
        radius: outer radius or half length.
        width: half width of a bar or stroke (bars, rings, letters, scratches).
        aspect: short over long axis of a dent or bump.
        angle: rotation in radians.
        flank: length over which the height rises from nothing to full.
        segments: strokes of letters and scratches as (x0, y0, x1, y1).
    """

    kind: str
    radius: float
    width: float = 0.0
    aspect: float = 1.0
    angle: float = 0.0
    flank: float = 2.0
    segments: tuple[Segment, ...] = ()

    @property
    def extent(self) -> float:
        """Bound on the distance from the centre at which the profile is not yet zero."""
        reach = self.radius + (0.0 if self.kind in ("dent", "bump") else 0.5 * self.flank)
        if self.kind == "bar":
            reach = float(np.hypot(self.radius, self.width)) + 0.5 * self.flank
        return min(reach, MAX_EXTENT)

    @property
    def extent_across(self) -> float:
        """The same across the web: a splice spans it all."""
        return 2.0 * REFERENCE_WIDTH if self.kind == "splice" else self.extent


def _capsules(shape: Shape, x: Array, y: Array) -> Array:
    """Return the distance to the nearest stroke, less the strokes' half width."""
    nearest = np.full(np.broadcast_shapes(x.shape, y.shape), np.inf, dtype=np.float32)
    for x0, y0, x1, y1 in shape.segments:
        dx, dy = x1 - x0, y1 - y0
        length2 = max(dx * dx + dy * dy, 1e-6)
        t = np.clip(((x - x0) * dx + (y - y0) * dy) / length2, 0.0, 1.0)
        np.minimum(nearest, (x - x0 - t * dx) ** 2 + (y - y0 - t * dy) ** 2, out=nearest)
    return np.asarray(np.sqrt(nearest) - shape.width, dtype=np.float32)


def _distance(shape: Shape, x: Array, y: Array) -> Array:
    """Return the signed distance to the outline, negative inside."""
    if shape.kind == "splice":
        return np.asarray(np.abs(y) - shape.radius + 0 * x, dtype=np.float32)
    if shape.kind in ("letter", "scratch"):
        return _capsules(shape, x, y)
    if shape.kind == "bar":
        qx, qy = np.abs(x) - shape.radius, np.abs(y) - shape.width
        outside = np.sqrt(np.maximum(qx, 0) ** 2 + np.maximum(qy, 0) ** 2)
        return np.asarray(outside + np.minimum(np.maximum(qx, qy), 0), dtype=np.float32)
    r = np.sqrt(x * x + y * y)
    if shape.kind == "ring":
        return np.asarray(np.abs(r - (shape.radius - shape.width)) - shape.width, np.float32)
    return np.asarray(r - shape.radius, dtype=np.float32)


def profile(shape: Shape, x: Array, y: Array) -> Array:
    """Return the shape's height between 0 and 1.

    Args:
        shape: what to draw.
        x: (1, w) float32, columns from the centre in reference pixels.
        y: (h, 1) float32, lines from the centre in reference pixels.

    Returns:
        (h, w) float32.
    """
    cos, sin = np.float32(np.cos(shape.angle)), np.float32(np.sin(shape.angle))
    u, v = x * cos + y * sin, y * cos - x * sin
    if shape.kind in ("dent", "bump"):
        rho2 = (u * u + (v / np.float32(shape.aspect)) ** 2) / np.float32(shape.radius**2)
        return np.asarray(np.maximum(1 - rho2, 0) ** 2, dtype=np.float32)
    t = np.clip(0.5 - _distance(shape, u, v) / np.float32(shape.flank), 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)


def _letter_strokes(rng: np.random.Generator, half: float) -> tuple[Segment, ...]:
    """Return two to five strokes between neighbouring nodes of a 3 x 3 grid, like a letter's."""
    nodes = [(-0.62, -1.0), (0.0, -1.0), (0.62, -1.0), (-0.62, 0.0), (0.0, 0.0), (0.62, 0.0)]
    nodes += [(-0.62, 1.0), (0.0, 1.0), (0.62, 1.0)]
    strokes: list[Segment] = []
    here = int(rng.choice([0, 2, 6, 8]))
    for _ in range(int(rng.integers(3, 6))):
        row, column = divmod(here, 3)
        near = [
            n for n in range(9) if n != here and max(abs(n // 3 - row), abs(n % 3 - column)) < 2
        ]
        there = int(rng.choice(near))
        (x0, y0), (x1, y1) = nodes[here], nodes[there]
        strokes.append((0.84 * half * x0, 0.84 * half * y0, 0.84 * half * x1, 0.84 * half * y1))
        here = there
    return tuple(strokes)


def _scratch_strokes(rng: np.random.Generator, half: float) -> tuple[Segment, ...]:
    """Return four strokes along a slightly bent line."""
    bend = float(rng.uniform(-0.12, 0.12)) * half
    xs = np.linspace(-half, half, 5)
    ys = bend * (xs / half) ** 2
    return tuple((float(xs[k]), float(ys[k]), float(xs[k + 1]), float(ys[k + 1])) for k in range(4))


def draw_shape(rng: np.random.Generator, kind: str, size: float, flank: float) -> Shape:
    """Draw one shape of ``kind``.

    Args:
        rng: source of randomness.
        kind: one of ``scene.KINDS``.
        size: factor on the extent, 0.5 to 1.
        flank: wanted length of the flank; never longer than the shape can bear.
    """
    u = rng.uniform
    angle = float(u(-np.pi, np.pi))
    if kind in ("dent", "bump"):
        return Shape(kind, size * u(12, 38), aspect=float(u(0.55, 1.0)), angle=angle)
    if kind == "scratch":
        half, width = size * u(25, 75), u(1.0, 2.2)
        strokes = _scratch_strokes(rng, half)
        return Shape(kind, half + 2 * width, width, 1.0, angle, 2 * width, strokes)
    if kind == "disc":
        radius = size * u(12, 42)
        return Shape(kind, radius, flank=min(flank, radius))
    if kind == "bar":
        half, width = size * u(20, 56), size * u(7, 18)
        return Shape(kind, half, width, 1.0, angle, min(flank, width))
    if kind == "ring":
        radius = size * u(20, 42)
        width = radius * u(0.14, 0.25)
        return Shape(kind, radius, width, 1.0, angle, min(flank, 1.2 * width))
    if kind == "letter":
        half = size * u(24, 44)
        width = half * u(0.11, 0.18)
        upright = float(rng.normal(0, 0.12)) + float(rng.choice([0.0, np.pi / 2]))
        strokes = _letter_strokes(rng, half)
        return Shape(kind, 1.15 * half, width, 1.0, upright, min(flank, 1.2 * width), strokes)
    if kind == "splice":
        return Shape(kind, size * u(14, 50), flank=flank)
    raise ValueError(f"no shape {kind!r}")
