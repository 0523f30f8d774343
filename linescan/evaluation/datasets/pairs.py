"""A folder of pictures with measured height: NAME_intensity.png beside NAME_height_um.npy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from linescan.evaluation.datasets.base import DataSetError, HeightUnit, TrueFrame, Wanted, every
from linescan.evaluation.datasets.level import level
from linescan.records import FloatArray, Frame, GrayArray, WebMap
from linescan.sources.images.decode import GrayReader, peek
from linescan.sources.images.problem import ImageProblem

IMAGE, HEIGHT = "_intensity.png", "_height_um.npy"
META = "meta.json"
LEAST_SIDE = 28
"""Rows and columns that a picture has at least: two patches of the model."""


class PairFolder:
    """Pairs of picture and height; see ``DataSet``."""

    unit: HeightUnit = "um"
    continuous = False
    overlap = 0
    pictures = True

    def __init__(
        self, folder: Path, *, levelled: bool = False, pitch_mm: float | None = None
    ) -> None:
        """List the pairs of a folder.

        Args:
            folder: with the pairs and, where pitches are known, ``meta.json``.
            levelled: take the plane of least squares off each height map.
            pitch_mm: size of a pixel where ``meta.json`` does not say.

        Raises:
            DataSetError: there are no pairs, one lacks a half, or ``meta.json`` is wrong.
        """
        self.name = str(folder)
        self._folder = folder
        self._levelled = levelled
        self._names = _names(folder)
        self._pitch = _pitches(folder / META, self._names, pitch_mm)
        self.count = len(self._names)
        self.about = "pairs of picture and measured height"
        if levelled:
            self.about += ", the best plane taken off each height map"

    def frames(self, wanted: Wanted = every) -> Iterator[tuple[int, TrueFrame]]:
        """Read the pairs, in the order of their names."""
        for number, name in enumerate(self._names):
            if wanted(number):
                yield number, self._read(number, name)

    def _read(self, number: int, name: str) -> TrueFrame:
        pixels, bits = _read_image(self._folder / (name + IMAGE))
        height = read_height(self._folder / (name + HEIGHT))
        if height.shape != pixels.shape:
            raise DataSetError(
                f"{self._folder / name}: the picture has {_text(pixels.shape)} pixels, the "
                f"height {_text(height.shape)}: they must be registered pixel by pixel"
            )
        if min(pixels.shape) < LEAST_SIDE:
            raise DataSetError(
                f"{self._folder / name}: {_text(pixels.shape)} pixels, at least "
                f"{LEAST_SIDE}x{LEAST_SIDE} are needed"
            )
        along, across = self._pitch[name]
        return TrueFrame(
            name=name,
            web=number,
            frame=Frame(pixels, 0, np.ones(len(pixels), np.bool_), 0, 0),
            bits=bits,
            height=level(height) if self._levelled else height,
            height_web=WebMap(0.0, 1.0, 0.0, 1.0, along, across),
            pitch_mm=(along, across),
        )


def has_pairs(folder: Path) -> bool:
    """Whether a folder holds a picture or a height of a pair."""
    return any(folder.glob("*" + IMAGE)) or any(folder.glob("*" + HEIGHT))


def read_height(path: Path) -> FloatArray:
    """A height map (rows, columns) float32 from a .npy file, NaN where unknown.

    Raises:
        DataSetError: it cannot be read, is no height map, or knows no height at all.
    """
    try:
        with path.open("rb") as file:
            values: Any = np.lib.format.read_array(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataSetError(f"{path}: the height cannot be read: {error}") from error
    if values.ndim != 2 or values.dtype.kind not in "fiu":
        raise DataSetError(
            f"{path}: expected rows x columns of numbers, found shape {values.shape} of "
            f"{values.dtype}"
        )
    height = values.astype(np.float32)
    height[~np.isfinite(height)] = np.nan
    if not np.isfinite(height).any():
        raise DataSetError(f"{path}: knows no height at all: every value is NaN or infinite")
    return np.ascontiguousarray(height)


def _names(folder: Path) -> list[str]:
    images = {path.name.removesuffix(IMAGE) for path in folder.glob("*" + IMAGE)}
    heights = {path.name.removesuffix(HEIGHT) for path in folder.glob("*" + HEIGHT)}
    for name in sorted(images ^ heights):
        lacks, has = (HEIGHT, IMAGE) if name in images else (IMAGE, HEIGHT)
        raise DataSetError(f"{folder}: {name}{has} has no {name}{lacks} beside it")
    if not images:
        raise DataSetError(f"{folder}: holds no pairs NAME{IMAGE} and NAME{HEIGHT}")
    return sorted(images)


def _pitches(
    path: Path, names: list[str], given_mm: float | None
) -> dict[str, tuple[float | None, float | None]]:
    """Size of a pixel in mm, (along, across), by name."""
    if not path.is_file():
        return dict.fromkeys(names, (given_mm, given_mm))
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
        found = {}
        for name in names:
            entry = meta.get(name, meta)
            steps = [entry.get(key) for key in ("step_y_um", "step_x_um")]
            if any(step is not None and not 0 < float(step) < float("inf") for step in steps):
                raise ValueError(f"'{name}': a step must be a positive number, got {steps}")
            along, across = (given_mm if step is None else float(step) / 1e3 for step in steps)
            found[name] = (along, across)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DataSetError(
            f"{path}: expected {{NAME: {{step_x_um: number, step_y_um: number}}}}: {error}"
        ) from error
    return found


def _read_image(path: Path) -> tuple[GrayArray, int]:
    """Pixels, and their significant bits: as many as the brightest one needs, at least 8."""
    try:
        header = peek(path)
        pixels = GrayReader().read(path, header, header.bits)
    except ImageProblem as error:
        raise DataSetError(f"{path}: {error}") from error
    return pixels, max(8, int(pixels.max()).bit_length())


def _text(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
