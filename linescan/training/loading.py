"""Samples from a folder: read, registered, levelled, reduced."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from linescan.pictures.files import write_whole
from linescan.training.pairs import (
    HEIGHT,
    INTENSITY,
    LINES,
    MOST_PIXELS,
    PairsError,
    Sample,
    read_flat,
    read_height,
    read_image,
    read_lines,
    sample_names,
)
from linescan.training.registration import LEAST_RATIO, Registration, register
from linescan.training.similarity import RegistrationError, lay, level


@dataclass(frozen=True, slots=True)
class RegistrationPlan:
    """How height maps are laid on images.

    Attributes:
        enabled: find the place; else both must have the same size, pixel on pixel.
        scale: image pixels in a pixel of a height map; None takes the ratio of the sizes.
        rotation: degrees to search to either side.
        form: degree of the form that is taken off a map: 1 a plane, 2 a paraboloid.
        pictures: folder for the pictures that show what was found.
    """

    enabled: bool
    scale: float | None
    rotation: float
    form: int
    pictures: Path


def load_samples(
    folder: Path,
    only: Sequence[str] | None,
    reduction: float | None,
    size: int,
    with_height: bool,
    laying: RegistrationPlan,
    progress: Callable[[Sequence[str]], Iterable[str]] = lambda names: names,
    report: Callable[[str], None] = lambda _: None,
) -> list[Sample]:
    """Read all samples of a folder.

    Args:
        folder: of the files that ``linescan.training.pairs`` names.
        only: names of samples to use; None uses all.
        reduction: image pixels in a model pixel; None takes each image's width over ``size``.
        size: of the model's input.
        with_height: height is needed: samples without any are an error.
        laying: how height maps are laid on images.
        progress: wraps the names as they are worked on.
        report: takes what was found.

    Raises:
        PairsError: something cannot be read or does not fit, or a height map's place on its image
            is uncertain.
    """
    names = sample_names(folder)
    if only:
        if unknown := sorted(set(only) - set(names)):
            raise PairsError(f"{folder}: no sample '{unknown[0]}': there are {', '.join(names)}")
        names = [name for name in names if name in only]
    samples: list[Sample] = []
    for name in progress(names):
        image = read_image(folder / (name + INTENSITY))
        height = _height(folder, name, image, laying, report) if with_height else None
        unknown_height = np.full(image.shape, np.nan, dtype=np.float32)
        sample = Sample(
            name,
            image,
            unknown_height if height is None else height,
            read_flat(folder, name, image.shape),
        ).reduce(reduction or image.shape[1] / size)
        samples.append(sample)
        if sum(each.image.size for each in samples) > MOST_PIXELS:
            raise PairsError(f"{folder}: more than {MOST_PIXELS:,} pixels: use a larger reduction")
    return samples


def _height(
    folder: Path,
    name: str,
    image: NDArray[np.uint8],
    laying: RegistrationPlan,
    report: Callable[[str], None],
) -> NDArray[np.float32]:
    whole, sparse = folder / (name + HEIGHT), folder / (name + LINES)
    if whole.exists():
        return _laid(whole, name, image, laying, report)
    if sparse.exists():
        return read_lines(sparse, image.shape)
    raise PairsError(
        f"{folder}: neither {whole.name} nor {sparse.name} beside {name}{INTENSITY}: give one of "
        f"them, or train with --target none"
    )


def _laid(
    path: Path,
    name: str,
    image: NDArray[np.uint8],
    laying: RegistrationPlan,
    report: Callable[[str], None],
) -> NDArray[np.float32]:
    try:
        height = level(read_height(path), laying.form)
    except RegistrationError as error:
        raise PairsError(f"{path}: {error}") from error
    if not laying.enabled:
        if height.shape != image.shape:
            raise PairsError(
                f"{path}: {height.shape} pixels, the image has {image.shape}: with --no-register "
                f"both must have the same"
            )
        return height
    scale = laying.scale or float(np.sqrt(image.size / height.size))
    try:
        found = register(image, height, scale=scale, rotation_range=laying.rotation)
    except RegistrationError as error:
        raise PairsError(f"{path}, to be laid on {name}{INTENSITY}: {error}") from error
    placed = lay(height, found.similarity, image.shape)
    shown = laying.pictures / f"{name}.jpg"
    show(image, placed, shown)
    at = found.similarity
    text = (
        f"{name}: scale {at.scale:.4f}, rotation {at.rotation:.2f}°, shift {at.across:.1f} columns "
        f"and {at.along:.1f} lines; stands out {found.ratio:.2f}-fold, R² {found.explained:.3f}"
    )
    report(text)
    require_confident(found, path, shown)
    return placed


def require_confident(found: Registration, path: Path, shown: Path) -> None:
    """Make sure that a height map's place is not a guess.

    Raises:
        PairsError: another place fits nearly as well.
    """
    if not found.confident:
        raise PairsError(
            f"{path}: its place on the image is uncertain: the best stands out only "
            f"{found.ratio:.2f}-fold from the next, {LEAST_RATIO} is needed; see {shown}. Give "
            f"--register-scale, or align both yourself and use --no-register"
        )


def show(image: NDArray[np.uint8], height: NDArray[np.float32], path: Path) -> None:
    """Write a picture of image, height and both as a checkerboard.

    Args:
        image: (h, w).
        height: laid on it, NaN where unknown.
        path: a .jpg file.
    """
    known = np.isfinite(height)
    middle = float(np.median(height[known])) if known.any() else 0.0
    # What light from the earlier lines would make of it: easier to compare than the height.
    slope = cv2.Sobel(np.where(known, height, middle).astype(np.float32), cv2.CV_32F, 0, 1)
    spread = float(np.abs(slope).mean()) or 1.0
    shaded = np.clip(128 + 40 * slope / spread, 0, 255).astype(np.uint8)
    stretched = cv2.normalize(image, None, 0, 255, cv2.NORM_MINMAX)  # type: ignore[call-overload]
    lines, columns = np.indices(image.shape)
    side = max(16, max(image.shape) // 8)
    board = np.where((lines // side + columns // side) % 2 == 0, stretched, shaded)
    sheet = np.hstack((stretched, shaded, board)).astype(np.uint8)
    shrink = min(1.0, 1800 / sheet.shape[1])
    size = (round(sheet.shape[1] * shrink), round(sheet.shape[0] * shrink))
    _, data = cv2.imencode(".jpg", cv2.resize(sheet, size, interpolation=cv2.INTER_AREA))
    write_whole(path, data.tobytes())
