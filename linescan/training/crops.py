"""Crops of samples: their shape, their places, one at random."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from linescan.depth.models import PATCH
from linescan.training.pairs import PairsError, Sample


def crop_shape(samples: Sequence[Sample], size: int) -> tuple[int, int]:
    """Lines and columns of the crops: multiples of the patch that fit into every sample.

    Raises:
        PairsError: a sample is smaller than four patches.
    """
    sides = []
    for axis in (0, 1):
        smallest = min(samples, key=lambda each: each.image.shape[axis])
        least = smallest.image.shape[axis]
        if least < 4 * PATCH:
            raise PairsError(
                f"{smallest.name}: a part of it has only {least} model pixels along one side, "
                f"fewer than {4 * PATCH}: give larger images, or a smaller reduction"
            )
        sides.append(min(size, least) // PATCH * PATCH)
    return sides[0], sides[1]


def starts(length: int, size: int) -> list[int]:
    """Where crops of ``size`` begin that cover ``length``; the last one ends with it."""
    return sorted({*range(0, length - size + 1, size), length - size})


def random_crop(sample: Sample, shape: tuple[int, int], rng: np.random.Generator) -> Sample:
    """A part of ``shape`` anywhere in a sample."""
    line, column = (
        int(rng.integers(0, n - side + 1))
        for n, side in zip(sample.image.shape, shape, strict=True)
    )
    return sample.crop(slice(line, line + shape[0]), slice(column, column + shape[1]))
