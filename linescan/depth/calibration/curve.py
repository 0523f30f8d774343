"""From a model's values to height: a line or a monotone curve, and a correction across the web."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from numpy.polynomial import legendre

Floats = npt.NDArray[np.float64]

DEGREE: Final = 2
"""Of the correction across: light falls off as a parabola, and more on one side."""
STEPS: Final = 2048
"""Places at which a monotone curve is evaluated once; it is linear between them."""


@dataclass(frozen=True, slots=True, eq=False)
class Across:
    """``v·(1 + Σ gain[j]·P[j](x)) + Σ offset[j]·P[j](x)``, Legendre polynomials of degree 1 and up.

    ``x`` runs from -1 to 1 over ``width`` camera pixels.
    """

    width: int
    gain: tuple[float, ...]
    offset: tuple[float, ...]

    def place(self, columns: Floats) -> Floats:
        """``x`` of web columns."""
        return place_across(columns, self.width)

    def __call__(self, values: Floats, columns: Floats) -> Floats:
        """Values as they would be at the same height in mid-web; ``columns`` broadcasts."""
        x = self.place(columns)
        gain = 1.0 + legendre.legval(x, (0.0, *self.gain))
        return np.asarray(values * gain + legendre.legval(x, (0.0, *self.offset)), np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """``scale·v + shift``, or, with knots, a monotone cubic through them and that slope beyond.

    Attributes:
        scale: height per unit of value: of the line that fits all.
        shift: of that line.
        knots: (n, 2) values, rising, and their heights; empty for the line itself.
    """

    scale: float
    shift: float
    knots: Floats

    def __call__(self, values: npt.NDArray[Any]) -> Floats:
        """Heights of values of any shape; NaN stays."""
        v = np.asarray(values, np.float64)
        if not len(self.knots):
            return self.scale * v + self.shift
        x, y = self.knots[:, 0], self.knots[:, 1]
        within = np.clip(v, x[0], x[-1])
        places = np.linspace(x[0], x[-1], STEPS)
        return np.interp(within, places, monotone(x, y, places)) + self.scale * (v - within)


def monotone(x: Floats, y: Floats, at: Floats) -> Floats:
    """The monotone cubic of Fritsch and Butland (1984) through (n,) points, at other places."""
    from scipy.interpolate import PchipInterpolator

    return np.asarray(PchipInterpolator(x, y)(at), np.float64)


def place_across(columns: npt.NDArray[Any], width: int) -> Floats:
    """-1 at the web's first column, 1 at its last."""
    return np.asarray(2.0 * columns / max(1, width - 1) - 1.0, np.float64)


def to_json(curve: Curve, across: Across | None) -> dict[str, Any]:
    """Both as plain data."""
    return {
        "scale": curve.scale,
        "shift": curve.shift,
        "knots": curve.knots.tolist(),
        "across": across and {"gain": list(across.gain), "offset": list(across.offset)},
    }


def from_json(fields: Mapping[str, Any], width: int) -> tuple[Curve, Across | None]:
    """What ``to_json`` gave.

    Raises:
        KeyError, TypeError, ValueError: the data is none of that.
    """
    knots = np.asarray(fields["knots"], np.float64).reshape(-1, 2)
    curve = Curve(float(fields["scale"]), float(fields["shift"]), knots)
    if not np.isfinite((curve.scale, curve.shift, *knots.ravel())).all() or curve.scale == 0:
        raise ValueError("curve")
    if len(knots) == 1 or (np.diff(knots[:, 0]) <= 0).any():
        raise ValueError("knots")
    if (np.diff(knots[:, 1]) * np.sign(curve.scale) < 0).any():
        raise ValueError("knots that do not go one way")
    if fields["across"] is None:
        return curve, None
    gain, offset = (tuple(map(float, fields["across"][key])) for key in ("gain", "offset"))
    if len(gain) > DEGREE or len(offset) > DEGREE or not np.isfinite((*gain, *offset)).all():
        raise ValueError("across")
    return curve, Across(width, gain, offset)
