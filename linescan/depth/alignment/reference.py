"""What does not change along the web: the level of the bare web, and how rough it looks.

A chain of overlaps adds up its errors. These two figures of a whole frame do not: the web runs at
the same distance from the camera all day, and its texture is the same texture. They are measured on
each frame and held against those of a *reference*: the first frames, or a stored one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from linescan.depth.alignment.estimate import Measured
from linescan.depth.alignment.look import Look
from linescan.errors import CalibrationError

FIRST_FRAMES: Final = 8
"""Frames that make the reference where none is stored."""
LEVEL_ERROR: Final = 0.005
"""Error of a frame's level at least, in deviations of a frame: it depends a little on what lies on
the web."""
ROUGHNESS_ERROR: Final = 0.1
"""Error of the logarithm of a frame's roughness at least: texture varies, and objects have some."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What frames are held against, in the unit of aligned values.

    Attributes:
        sha256: of the model that made the values, hexadecimal; empty where not known yet.
        frames: frames that it was taken from.
        level: of the bare web.
        roughness: logarithm of a low quantile of the differences of near places; None where there
            is none.
        deviation: typical standard deviation of a frame.
    """

    sha256: str
    frames: int
    level: float
    roughness: float | None
    deviation: float

    @staticmethod
    def of(look: Look, sha256: str) -> Reference:
        """From one frame."""
        return Reference(sha256, 1, look.level.value, _value(look.roughness), look.deviation)

    def seen(self, look: Look) -> Reference:
        """With one frame more, as long as it is made of first frames."""
        if self.frames >= FIRST_FRAMES:
            return self
        n = self.frames + 1
        rough, other = self.roughness, _value(look.roughness)
        if rough is not None and other is not None:
            rough += (other - rough) / n
        return replace(
            self,
            frames=n,
            level=self.level + (look.level.value - self.level) / n,
            roughness=other if rough is None else rough,
            deviation=math.sqrt(self.deviation**2 + (look.deviation**2 - self.deviation**2) / n),
        )

    def shift_of(self, look: Look, scale: float) -> Measured:
        """What brings a frame, times ``scale``, to the level."""
        variance = scale**2 * look.level.variance + (LEVEL_ERROR * self.deviation) ** 2
        return Measured(self.level - scale * look.level.value, variance * (1 + 1 / self.frames))

    def log_scale_of(self, look: Look) -> Measured | None:
        """Logarithm of the factor that brings a frame to the roughness; None where it has none."""
        if self.roughness is None or look.roughness is None:
            return None
        variance = look.roughness.variance + ROUGHNESS_ERROR**2
        away = self.roughness - look.roughness.value
        return Measured(away, variance * (1 + 1 / self.frames))

    def to_json(self) -> dict[str, Any]:
        """As plain data, which ``from_json`` takes."""
        return asdict(self)

    @staticmethod
    def from_json(fields: object) -> Reference | None:
        """From plain data; None where that is not a reference."""
        if not isinstance(fields, Mapping):
            return None
        try:
            rough = fields["roughness"]
            found = Reference(
                sha256=str(fields["sha256"]),
                frames=int(fields["frames"]),
                level=float(fields["level"]),
                roughness=None if rough is None else float(rough),
                deviation=float(fields["deviation"]),
            )
        except (KeyError, TypeError, ValueError):
            return None
        numbers = (found.level, found.deviation, found.roughness or 0.0)
        good = all(map(math.isfinite, numbers)) and found.deviation > 0 and found.frames >= 1
        return found if good else None


def load_reference(path: Path) -> Reference:
    """The reference that a file of ``linescan calibrate height`` keeps.

    Raises:
        CalibrationError: it is missing, cannot be read, or keeps none.
    """
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CalibrationError(f"{path}: no such reference") from error
    except (OSError, ValueError) as error:
        raise CalibrationError(f"{path}: not a reference that can be read: {error}") from error
    found = Reference.from_json(fields.get("reference") if isinstance(fields, dict) else None)
    if found is None:
        raise CalibrationError(
            f"{path}: keeps no reference of alignment; make one with 'linescan calibrate height'"
        )
    return found


def _value(measured: Measured | None) -> float | None:
    return None if measured is None else measured.value
