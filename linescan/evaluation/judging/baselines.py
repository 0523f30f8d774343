"""Baselines by name: ``baseline:flat``, ``baseline:blur``; what they need to know they are told."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from linescan.config import DepthSection
from linescan.errors import ModelError
from linescan.evaluation.baselines import best_blur, blurred_intensity, constant
from linescan.evaluation.datasets import TrueFrame
from linescan.evaluation.datasets.grid import height_on
from linescan.evaluation.judging.models import About, height_map, resized
from linescan.records import Convention, DepthMap, FloatArray

PREFIX = "baseline:"
Image = npt.NDArray[np.uint8]
Guess = Callable[[Image, TrueFrame], FloatArray]
"""From a resized image and the frame that it is of to a height in any unit."""


def _flat(image: Image, _frame: TrueFrame) -> FloatArray:
    return constant(image)


BASELINES: dict[str, tuple[Guess | None, str]] = {
    "flat": (_flat, "the web is flat"),
    "blur": (None, "the image taken for height, blurred as suits it best, truth in hand"),
}
"""What guesses the height, or None where that is first fitted to frames; and what it is."""


class Baseline:
    """Height without a model, at the size of the embedded one's input."""

    def __init__(self, name: str, depth: DepthSection, *, pictures: bool) -> None:
        """Choose a baseline.

        Raises:
            ModelError: there is none of that name.
        """
        known = name.removeprefix(PREFIX)
        if known not in BASELINES:
            offers = ", ".join(PREFIX + each for each in BASELINES)
            raise ModelError(f"'{name}': expected {offers}")
        self._name, self._depth, self._pictures = name, depth, pictures
        self._guess, _ = BASELINES[known]
        self._images: list[Image] = []
        self._truth: list[FloatArray] = []

    @property
    def needs_fit(self) -> bool:
        """Whether frames must be observed before ``predict``."""
        return self._guess is None

    def observe(self, frame: TrueFrame) -> None:
        """Take a frame to fit on: its image and truth, at the size of the model."""
        given = resized(frame, self._depth, self._pictures)
        shape = (given.image.shape[0], given.image.shape[1])
        truth = height_on(frame.height, frame.height_web, shape, given.web)
        if np.isfinite(truth).any() and np.nanstd(truth) > 0:
            self._images.append(given.image)
            self._truth.append(truth)

    def settle(self) -> None:
        """Choose the one blur that serves the frames best, their truth in hand.

        Raises:
            ModelError: no frame has relief.
        """
        if not self._images:
            raise ModelError(f"'{self._name}': no frame has relief to choose the blur by")
        blur, _ = best_blur(self._images, self._truth)
        self._images, self._truth = [], []
        self._name = f"{PREFIX}blur ({blur:g} px)"
        self._guess = lambda image, _frame: blurred_intensity(image, blur)

    def predict(self, frame: TrueFrame) -> DepthMap:
        """Guess the height of a frame."""
        given = resized(frame, self._depth, self._pictures)
        if self._guess is None:
            raise ModelError(f"'{self._name}' was not fitted to frames")
        return height_map(given, self._guess(given.image, frame))

    def about(self) -> About:
        """A baseline has neither file nor engine."""
        height = Convention.HEIGHT.value
        return About(self._name, None, "none", height, "relative", 0.0, baseline=True)

    def close(self) -> None:
        """Nothing is held."""
