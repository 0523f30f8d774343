"""From values to colours, with limits that a flat frame's noise does not fill."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from linescan.errors import LinescanError
from linescan.pictures.opencv import load_cv2
from linescan.records import BoolArray, FloatArray

Bgr = tuple[int, int, int]
BgrArray = npt.NDArray[np.uint8]
"""(rows, width, 3) uint8, blue green red."""
Limits = tuple[float, float]
ColourMap = Literal["turbo", "inferno", "viridis"]

PAPER: Final[Bgr] = (30, 24, 20)
"""Margins of pictures."""
INK: Final[Bgr] = (242, 240, 238)
FAINT: Final[Bgr] = (150, 142, 136)
RAISED: Final[Bgr] = (40, 178, 255)
"""Amber: with ``SUNK`` a pair that colour-blind people tell apart."""
SUNK: Final[Bgr] = (255, 190, 70)
"""Azure."""
HATCH: Final[tuple[Bgr, Bgr]] = ((96, 96, 96), (122, 122, 122))
"""Rows without valid lines."""

TAIL = 0.002
"""Share of the values at each end that robust limits leave out."""
NOISE_SPAN = 10.0
"""Limits of depth are at least so many standard deviations of the pixel noise apart."""
SAMPLE = 512


def robust_limits(
    values: FloatArray, noise_span: float = NOISE_SPAN, least_span: float = 0.0
) -> Limits:
    """Limits for the colours of a depth map: all but the outermost 0.2 % at each end.

    They are kept ``noise_span`` standard deviations of the noise between neighbouring pixels apart,
    and ``least_span`` at least, so that the noise of a flat frame does not look like relief.
    Without any finite value: 0 and 1.
    """
    rows, columns = (-(-side // SAMPLE) or 1 for side in values.shape)
    finite = np.asarray(values[::rows, ::columns], np.float64)
    steps = np.asarray(values[::rows, 1:], np.float64) - values[::rows, :-1]
    finite, steps = finite[np.isfinite(finite)], np.abs(steps[np.isfinite(steps)])
    if not finite.size:
        return 0.0, 1.0
    low, high = (float(v) for v in np.quantile(finite, [TAIL, 1 - TAIL]))
    noise = 1.4826 * float(np.median(steps)) / np.sqrt(2) if steps.size else 0.0
    resolution = max(1e-6 * max(abs(low), abs(high)), 1e-12)
    missing = max(noise_span * noise, least_span, resolution) - (high - low)
    if missing > 0:
        low, high = low - missing / 2, high + missing / 2
    return low, high


def choose_limits(given: Limits | None, values: FloatArray) -> Limits:
    """The given limits, else robust limits of the values.

    Raises:
        LinescanError: the given limits do not ascend.
    """
    if given is None:
        return robust_limits(values)
    if not given[0] < given[1]:
        raise LinescanError(f"colour limits {given[0]:g} to {given[1]:g}: the first must be lower")
    return given


def gray_levels(
    values: FloatArray, limits: Limits, *, reverse: bool = False
) -> npt.NDArray[np.uint8]:
    """Levels 0 to 255 between the limits; ``reverse`` puts 255 at the low one."""
    low, high = limits
    scaled = np.subtract(values, low, dtype=np.float64 if high - low < 1e-30 else np.float32)
    scaled *= 255.0 / (high - low)
    levels: npt.NDArray[np.uint8] = np.clip(scaled, 0, 255, out=scaled).astype(np.uint8)
    return 255 - levels if reverse else levels


def colourise(
    values: FloatArray, limits: Limits, colour_map: ColourMap, *, reverse: bool
) -> BgrArray:
    """Colours of finite values; those beyond the limits take the outermost colours.

    Args:
        values: (h, w) without NaN.
        limits: values of the first and the last colour.
        colour_map: name of OpenCV's map.
        reverse: the last colour stands for the low limit.
    """
    cv2 = load_cv2()
    maps = {
        "turbo": cv2.COLORMAP_TURBO,
        "inferno": cv2.COLORMAP_INFERNO,
        "viridis": cv2.COLORMAP_VIRIDIS,
    }
    return np.asarray(
        cv2.applyColorMap(gray_levels(values, limits, reverse=reverse), maps[colour_map]), np.uint8
    )


def paint_hatch(picture: BgrArray, unknown: BoolArray, period: int) -> None:
    """Paint neutral diagonal stripes where ``unknown``, (rows, width), is true."""
    rows, columns = np.nonzero(unknown)
    picture[rows, columns] = np.asarray(HATCH, np.uint8)[(rows + columns) // max(1, period) % 2]
