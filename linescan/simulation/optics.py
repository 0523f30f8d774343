"""Blur of the picture: defocus both ways, and the web's run during a line's exposure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from linescan.simulation.noise import CELL_PX, Grid
from linescan.simulation.scene import Scene

Array = NDArray[np.float32]


class LineOptics:
    """The blur of a scene: a Gaussian, and along the web a box after it."""

    def __init__(self, scene: Scene, grid: Grid) -> None:
        """Prepare the blur of ``scene``."""
        down, over = grid.cell_lines / CELL_PX, grid.scale
        defocus, motion = scene.optics.defocus_px, scene.optics.motion_px
        self._across = _gaussian(defocus * over)
        self._along = np.convolve(_gaussian(defocus * down), _box(motion * down)).astype(np.float32)
        self.margin = len(self._along) // 2

    @property
    def present(self) -> bool:
        """Whether there is any blur at all."""
        return len(self._along) > 1 or len(self._across) > 1

    def blur(self, radiance: Array) -> Array:
        """Return (h, w) float32 from (h + 2 margins, w)."""
        import cv2

        blurred = cv2.sepFilter2D(
            radiance, cv2.CV_32F, self._across, self._along, borderType=cv2.BORDER_REPLICATE
        )
        return np.asarray(blurred[self.margin : len(blurred) - self.margin], dtype=np.float32)


def _gaussian(sigma: float) -> Array:
    """Return a kernel of odd length and sum 1, cut at three deviations."""
    reach = int(np.ceil(3 * sigma)) if sigma > 0 else 0
    at = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (at / max(sigma, 1e-6)) ** 2)
    return np.asarray(kernel / kernel.sum(), dtype=np.float32)


def _box(length: float) -> Array:
    """Return a box of ``length`` lines as a kernel of odd length and sum 1."""
    reach = int(np.ceil(max(length - 1, 0) / 2))
    at = np.arange(-reach, reach + 1)
    kernel = np.clip(length / 2 - np.abs(at) + 0.5, 0, 1) if reach else np.ones(1)
    return np.asarray(kernel / kernel.sum(), dtype=np.float32)
