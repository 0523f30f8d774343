"""What else may lie on a web or spoil its picture; each record's default is: nothing.

Lengths and heights are in reference pixels, as in ``scene``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MaterialKind = Literal["plain", "brushed", "rolled", "wood", "woven", "belt"]


@dataclass(frozen=True, slots=True)
class Material:
    """A texture that repeats or has a direction.

    Attributes:
        kind: ``brushed`` has marks along the web, ``rolled`` across it, ``wood`` a bent grain,
            ``woven`` a grid of threads, ``belt`` diamonds; ``plain`` has none of them.
        contrast: relative deviation of the reflectance.
        relief: rms height.
        period_px: of threads, diamonds or grain.
    """

    kind: MaterialKind = "plain"
    contrast: float = 0.0
    relief: float = 0.0
    period_px: float = 6.0


@dataclass(frozen=True, slots=True)
class Dust:
    """Specks, too small to be objects.

    Attributes:
        density: expected specks on 512 x 512 reference pixels.
        radius: of the largest.
        contrast: largest relative change of the reflectance, either way.
        height: largest height.
    """

    density: float = 0.0
    radius: float = 2.0
    contrast: float = 0.3
    height: float = 0.0


@dataclass(frozen=True, slots=True)
class CutOuts:
    """Holes through the web: sunk objects with steep walls.

    Attributes:
        density: expected candidates on 512 x 512 reference pixels, before thinning.
        depth: how far below the web lies what is seen through them.
        reflectance: of what is seen through them, 1 being the bare web's.
    """

    density: float = 0.0
    depth: float = 2.0
    reflectance: float = 0.05


@dataclass(frozen=True, slots=True)
class Shade:
    """Shadows thrown by what stands beside or over the web: they have no height.

    Attributes:
        density: expected shadows on 512 x 512 reference pixels.
        strength: share of the direct light that they take.
        softness_px: length over which they set in.
    """

    density: float = 0.0
    strength: float = 0.5
    softness_px: float = 8.0


@dataclass(frozen=True, slots=True)
class Optics:
    """What lens and exposure time do to the picture.

    Attributes:
        defocus_px: standard deviation of the blur, at most 3.
        motion_px: distance that the web runs during the exposure of a line, at most 6.
    """

    defocus_px: float = 0.0
    motion_px: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a blur that reaches further than the strips beside."""
        if not (0 <= self.defocus_px <= 3 and 0 <= self.motion_px <= 6):
            raise ValueError("defocus must lie in 0 to 3 and motion blur in 0 to 6 pixels")
