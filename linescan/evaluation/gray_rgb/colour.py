"""Colour pictures: from files, and what is made of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from linescan.records import FloatArray
from linescan.sources.images.decode import peek, read_pixels
from linescan.sources.images.listing import list_images
from linescan.sources.images.problem import ImageProblem

Rgb = NDArray[np.uint8]
"""(rows, columns, 3) uint8, red green blue."""
Gray = NDArray[np.uint8]
"""(rows, columns) uint8."""

LEAST_COLOUR: Final = 1.0
"""Gray levels: a picture whose ``colourfulness`` is below is a gray one in a colour file."""
NOISE_SIGMA: Final = 2.0
"""Gray levels: standard deviation of the noise of the first control."""
JPEG_QUALITY: Final = 90
"""Of the second control."""


@dataclass(frozen=True, slots=True)
class ColourPicture:
    """A colour picture at its own size.

    Attributes:
        name: for reports.
        rgb: (rows, columns, 3) uint8.
        height: (rows, columns) float32, the true height where it is known: simulated pictures.
    """

    name: str
    rgb: Rgb
    height: FloatArray | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A picture that could not be compared, and why, in one clause."""

    name: str
    reason: str


Loader = Callable[[], ColourPicture | Skipped]
"""Gives one picture when its turn comes: no more than one is in memory."""


def folder_loaders(folder: Path) -> list[Loader]:
    """The pictures of a folder (not of folders in it), in natural order, or the one at that path.

    Raises:
        SourceError: there is no such folder, or it holds no images.
    """
    return [lambda path=path: read_colour(path) for path in list_images(folder)]  # type: ignore[misc]


def read_colour(path: Path) -> ColourPicture | Skipped:
    """Read a picture; what is broken or gray is skipped with its reason.

    Colours of 16 bits keep their upper 8, transparency is ignored.
    """
    try:
        pixels = read_pixels(path, peek(path))
    except ImageProblem as problem:
        return Skipped(path.name, str(problem))
    if pixels.ndim == 2 or pixels.shape[2] < 3:
        return Skipped(path.name, "it is a gray picture: there is no colour to compare with")
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    rgb = np.ascontiguousarray(pixels[:, :, 2::-1], dtype=np.uint8)
    colour = colourfulness(rgb)
    if colour < LEAST_COLOUR:
        return Skipped(
            path.name,
            f"its three channels are the same (colourfulness {colour:.1f} gray levels): it is a "
            f"gray picture in a colour file",
        )
    return ColourPicture(path.name, rgb)


def luma(rgb: Rgb) -> Gray:
    """Gray as the field makes it: ITU-R BT.601 luma, 0.299 R + 0.587 G + 0.114 B.

    It is what OpenCV and this project's image source do. A gray camera weighs the colours by its
    own sensitivity instead, often well into the red.
    """
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)


def colourfulness(rgb: Rgb) -> float:
    """Mean difference between a pixel's largest and smallest channel, in gray levels."""
    return float(np.mean(rgb.max(axis=2) - rgb.min(axis=2)))


def with_noise(rgb: Rgb, seed: int = 0) -> Rgb:
    """The picture with independent Gaussian noise of ``NOISE_SIGMA`` in each channel."""
    noise = np.random.default_rng(seed).normal(0.0, NOISE_SIGMA, rgb.shape)
    return np.clip(np.rint(rgb + noise), 0, 255).astype(np.uint8)


def as_jpeg(rgb: Rgb) -> Rgb:
    """The picture after a JPEG file of ``JPEG_QUALITY``, colours at half resolution as usual."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    _, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), quality)
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return np.ascontiguousarray(decoded[:, :, ::-1], dtype=np.uint8)  # type: ignore[index]
