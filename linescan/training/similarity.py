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
    weight, filled = known.astype(np.float32), np.where(known, height, 0).astype(np.float32)
    if blur > 0.1:
        weight, filled = (cv2.GaussianBlur(a, (0, 0), blur) for a in (weight, filled))
    size = (shape[1], shape[0])
    share = cv2.warpAffine(weight, matrix, size, flags=cv2.INTER_LINEAR)
    values = cv2.warpAffine(filled, matrix, size, flags=cv2.INTER_LINEAR)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(share > 0.5, values / share, np.nan).astype(np.float32)


def level(height: Map) -> Map:
    """The height over its plane of least squares: profilometers rarely stand quite parallel."""
    lines, columns = np.nonzero(np.isfinite(height))
    if len(lines) < 3:
        raise RegistrationError("a height map has fewer than three known points")
    values = height[lines, columns].astype(np.float64)
    design = np.column_stack((lines, columns, np.ones(len(lines))))
    kept = np.ones(len(values), dtype=bool)
    plane = np.zeros(3)
    for _ in range(3):
        plane = np.linalg.lstsq(design[kept], values[kept], rcond=None)[0]
        residual = values - design @ plane
        spread = 1.4826 * np.median(np.abs(residual - np.median(residual)))
        kept = np.abs(residual - np.median(residual)) <= 3 * max(spread, 1e-12)
    along, across, offset = plane
    grid = np.ogrid[: height.shape[0], : height.shape[1]]
    levelled: Map = (height - (along * grid[0] + across * grid[1] + offset)).astype(np.float32)
    return levelled


def shape_of(values: NDArray[np.generic]) -> tuple[int, int]:
    """Lines and columns."""
    return int(values.shape[0]), int(values.shape[1])
