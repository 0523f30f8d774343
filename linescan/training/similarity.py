"""Where a height map lies on an image, and the map laid there."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from linescan.errors import LinescanError

Map = NDArray[np.float32]


class RegistrationError(LinescanError):
    """A height map cannot be laid on its image."""


@dataclass(frozen=True, slots=True)
class Similarity:
    """From pixels of the height map to pixels of the image, both centred.

    Attributes:
        scale: image pixels in a pixel of the height map.
        rotation: degrees, as OpenCV counts them: from column to line.
        across: shift of the height map's centre from the image's, image columns.
        along: likewise, image lines.
    """

    scale: float = 1.0
    rotation: float = 0.0
    across: float = 0.0
    along: float = 0.0

    def matrix(self, source: tuple[int, int], target: tuple[int, int]) -> NDArray[np.float64]:
        """The 2x3 affine matrix from (column, line) of the height map to that of the image.

        Args:
            source: lines and columns of the height map.
            target: of the image.
        """
        angle = np.deg2rad(self.rotation)
        c, s = self.scale * np.cos(angle), self.scale * np.sin(angle)
        linear = np.array([[c, -s], [s, c]])
        middle = np.array([(source[1] - 1) / 2, (source[0] - 1) / 2])
        goal = np.array([(target[1] - 1) / 2 + self.across, (target[0] - 1) / 2 + self.along])
        return np.column_stack((linear, goal - linear @ middle))


def lay(height: Map, similarity: Similarity, shape: tuple[int, int]) -> Map:
    """The height map on the image's pixels, NaN where it does not reach.

    Args:
        height: (rows, columns), NaN where unknown.
        similarity: its place.
        shape: lines and columns of the image.
    """
    matrix = similarity.matrix(shape_of(height), shape)
    known = np.isfinite(height)
    # Bilinear on a coarser grid would skip pixels: blur to the new pixel's size first.
    blur = max(0.0, 0.5 * (1 / similarity.scale - 1))
    laid = []
    for values in (known.astype(np.float32), np.where(known, height, 0).astype(np.float32)):
        smooth = cv2.GaussianBlur(values, (0, 0), blur) if blur > 0.1 else values
        laid.append(cv2.warpAffine(smooth, matrix, shape[::-1], flags=cv2.INTER_LINEAR))
    share, total = laid
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(share > 0.5, total / share, np.nan).astype(np.float32)


def level(height: Map, degree: int = 1) -> Map:
    """The height over the surface's form: a plane, or a paraboloid of least squares.

    Profilometers rarely stand quite parallel, and parts are seldom quite flat; an image shows
    neither. Relief does not count: residuals beyond three deviations are left out twice.

    Args:
        height: (rows, columns), NaN where unknown.
        degree: 1 takes off a plane, 2 a paraboloid as well.

    Raises:
        RegistrationError: fewer points are known than the form has coefficients.
    """
    known = np.isfinite(height)
    lines, columns = np.indices(height.shape) / max(height.shape) - 0.5
    powers = [(i, j) for i in range(degree + 1) for j in range(degree + 1 - i)]
    terms = np.stack([lines**i * columns**j for i, j in powers], axis=-1)
    design, values = terms[known], height[known].astype(np.float64)
    if len(values) < len(powers):
        raise RegistrationError(f"a height map has only {len(values)} known points")
    kept = np.ones(len(values), dtype=bool)
    residual = values
    for _ in range(3):
        form = np.linalg.lstsq(design[kept], values[kept], rcond=None)[0]
        residual = values - design @ form
        residual -= np.median(residual)
        kept = np.abs(residual) <= 3 * max(1.4826 * float(np.median(np.abs(residual))), 1e-12)
    levelled = np.full(height.shape, np.nan, dtype=np.float32)
    levelled[known] = residual
    return levelled


def shape_of(values: NDArray[np.generic]) -> tuple[int, int]:
    """Lines and columns."""
    return int(values.shape[0]), int(values.shape[1])
