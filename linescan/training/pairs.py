"""A user's own images with what is known of their height, at the model's resolution."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from linescan.errors import LinescanError
from linescan.training.data import to_8_bit

Side = Literal["left", "right", "top", "bottom"]
SIDES: tuple[Side, ...] = ("left", "right", "top", "bottom")
INTENSITY, HEIGHT, LINES, FLAT = "_intensity.png", "_height_um.npy", "_lines.csv", "_flat.png"
"""What files are called, after the name of a sample."""
COLUMNS = ("line", "column", "height_um")
MOST_PIXELS = 400_000_000
"""Pixels of all samples together, at the model's resolution: 2.4 GB with height and mask."""


class PairsError(LinescanError):
    """Training data that cannot be used."""


@dataclass(frozen=True, slots=True)
class Sample:
    """An image and what is known of it, of one size.

    Attributes:
        name: for messages.
        image: (h, w) uint8.
        height: (h, w) float32, NaN where not known. µm.
        flat: (h, w) bool: known to be a plane.
    """

    name: str
    image: NDArray[np.uint8]
    height: NDArray[np.float32]
    flat: NDArray[np.bool_]

    def crop(self, lines: slice, columns: slice) -> Sample:
        """A part of it."""
        at = (lines, columns)
        return replace(self, image=self.image[at], height=self.height[at], flat=self.flat[at])

    def reduce(self, reduction: float) -> Sample:
        """The sample with ``reduction`` camera pixels in a pixel, by area; NaN counts nothing."""
        if reduction == 1:
            return self
        size = tuple(max(1, round(n / reduction)) for n in self.image.shape[::-1])
        known = np.isfinite(self.height)
        share, total, flat = (
            cv2.resize(a.astype(np.float32), size, interpolation=cv2.INTER_AREA)
            for a in (known, np.where(known, self.height, 0), self.flat)
        )
        # Of a map, pixels at the border of what is known would be of the wrong place.
        least = 0.5 if known.mean() > 0.5 else 1e-6
        with np.errstate(invalid="ignore", divide="ignore"):
            height = np.where(share >= least, total / share, np.nan)
        image = cv2.resize(self.image, size, interpolation=cv2.INTER_AREA)
        return Sample(
            self.name, np.asarray(image, np.uint8), height.astype(np.float32), flat > 0.99
        )


def sample_names(folder: Path) -> list[str]:
    """Names of the samples in a folder.

    Raises:
        PairsError: there are none.
    """
    names = sorted(p.name.removesuffix(INTENSITY) for p in folder.glob("*" + INTENSITY))
    if not names:
        raise PairsError(f"{folder}: no image named NAME{INTENSITY}")
    return names


def read_image(path: Path) -> NDArray[np.uint8]:
    """A gray PNG as 8 bits; of 16, those are used that its largest value needs, 12 or 16.

    Raises:
        PairsError: it cannot be read.
    """
    pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
    if pixels is None or pixels.dtype not in (np.uint8, np.uint16):
        raise PairsError(f"{path}: expected a gray PNG image of 8 or 16 bits")
    if pixels.dtype == np.uint8:
        return np.asarray(pixels, np.uint8)
    return to_8_bit(pixels, 12 if int(pixels.max()) < 4096 else 16)


def read_height(path: Path) -> NDArray[np.float32]:
    """A height map, µm, NaN where unknown.

    Raises:
        PairsError: it is not a two-dimensional array of numbers.
    """
    try:
        height = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise PairsError(f"{path}: not a NumPy array: {error}") from error
    if not isinstance(height, np.ndarray):
        raise PairsError(f"{path}: not a NumPy array but an archive of some")
    if height.ndim != 2 or height.dtype.kind not in "fiu":
        raise PairsError(
            f"{path}: expected (lines, columns) of numbers, found {height.shape} of {height.dtype}"
        )
    height = height.astype(np.float32)
    height[~np.isfinite(height)] = np.nan
    return np.asarray(height)


def read_lines(path: Path, shape: tuple[int, int]) -> NDArray[np.float32]:
    """A height map from the points of a profiler: the mean of those in each pixel, else NaN.

    Args:
        path: CSV with the columns ``line``, ``column`` (image pixels) and ``height_um``; an empty
            height is not known.
        shape: lines and columns of the image.

    Raises:
        PairsError: a column is missing, a value is no number, or a point lies beside the image.
    """
    total, count = np.zeros(shape), np.zeros(shape)
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            if missing := [c for c in COLUMNS if c not in (reader.fieldnames or ())]:
                raise PairsError(
                    f"{path}: column {missing[0]} is missing: expected {', '.join(COLUMNS)}"
                )
            for number, row in enumerate(reader, start=2):
                line, column, height = _point(row, f"{path}, row {number}")
                if not np.isfinite(height):
                    continue
                at = (round(line), round(column))
                if not (0 <= at[0] < shape[0] and 0 <= at[1] < shape[1]):
                    raise PairsError(
                        f"{path}, row {number}: line {line:g}, column {column:g} lies "
                        f"beside the image of {shape[0]} x {shape[1]}"
                    )
                total[at] += height
                count[at] += 1
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PairsError(f"{path}: cannot be read: {error}") from error
    with np.errstate(invalid="ignore"):
        return np.where(count > 0, total / count, np.nan).astype(np.float32)


def _point(row: Mapping[str, str | None], where: str) -> tuple[float, float, float]:
    try:
        line, column, height = (float(row[each] or "nan") for each in COLUMNS)
    except (TypeError, ValueError) as error:
        raise PairsError(f"{where}: expected numbers for {', '.join(COLUMNS)}") from error
    if not np.isfinite((line, column)).all():
        raise PairsError(f"{where}: line and column must be finite numbers")
    return line, column, height


def read_flat(folder: Path, name: str, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Where the user says the surface is a plane: not zero in ``NAME_flat.png``; else nowhere.

    Raises:
        PairsError: the mask has another size than the image.
    """
    path = folder / (name + FLAT)
    if not path.exists():
        return np.zeros(shape, dtype=bool)
    mask = read_image(path)
    if mask.shape != shape:
        raise PairsError(f"{path}: {mask.shape} pixels, the image has {shape}")
    return mask > 0


def split(sample: Sample, side: Side, share: float) -> tuple[Sample, Sample]:
    """The rest, and the part of ``share`` at one side."""
    lines, columns = sample.image.shape
    whole = slice(None)
    if side in ("left", "right"):
        cut = round(columns * (share if side == "left" else 1 - share))
        first, second = sample.crop(whole, slice(cut)), sample.crop(whole, slice(cut, None))
    else:
        cut = round(lines * (share if side == "top" else 1 - share))
        first, second = sample.crop(slice(cut), whole), sample.crop(slice(cut, None), whole)
    return (second, first) if side in ("left", "top") else (first, second)


def hold_out(samples: Sequence[Sample], share: float) -> tuple[list[Sample], list[Sample]]:
    """What to learn from and what to judge by.

    From four samples on, every so manieth is held out whole; of fewer, the last lines of each.
    """
    if len(samples) < 4:
        parts = [split(each, "bottom", share) for each in samples]
        return [rest for rest, _ in parts], [held for _, held in parts]
    every = min(len(samples), max(2, round(1 / share)))
    held = list(samples[every - 1 :: every])
    return [s for i, s in enumerate(samples) if (i + 1) % every], held


def digest(samples: Sequence[Sample]) -> str:
    """Of everything that is learned from: a run is not resumed with other data."""
    found = hashlib.sha256()
    for sample in samples:
        for array in (sample.image, sample.height, sample.flat):
            found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:16]
