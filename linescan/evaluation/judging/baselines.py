"""Baselines by name, as ``baseline:flat``: what a model has to beat to be worth its cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from linescan.config import DepthSection
from linescan.errors import ModelError
from linescan.evaluation.baselines import best_blur, blurred_intensity, constant
from linescan.evaluation.datasets import TrueFrame
from linescan.evaluation.datasets.base import KnownLight
from linescan.evaluation.datasets.grid import height_on
from linescan.evaluation.judging.models import About, height_map, resized
from linescan.evaluation.shape_from_shading import (
    LightDirection,
    best_regularisation,
    shape_from_shading,
)
from linescan.records import Convention, DepthMap, FloatArray

PREFIX = "baseline:"
SHADING_EVERY = 8
"""One in so many frames of those that are fitted to serves to choose a regularisation."""
Image = npt.NDArray[np.uint8]
Guess = Callable[[Image, KnownLight | None], FloatArray]
"""From an image (h, w), and the light where it is known, to a height in any unit."""


@dataclass(frozen=True, slots=True)
class Example:
    """An image with its true height, both (h, w), and the light where it is known."""

    image: Image
    truth: FloatArray
    light: KnownLight | None


Fit = Callable[[Sequence[Example]], tuple[str, Guess]]
"""Chooses what suits examples best; gives it in words, and what then guesses."""


def _flat(image: Image, _light: KnownLight | None) -> FloatArray:
    return constant(image)


def _fit_blur(examples: Sequence[Example]) -> tuple[str, Guess]:
    blur, _ = best_blur([each.image for each in examples], [each.truth for each in examples])
    return f"{blur:g} px", lambda image, _light: blurred_intensity(image, blur)


def _fit_shading(examples: Sequence[Example]) -> tuple[str, Guess]:
    lit = [each for each in examples[::SHADING_EVERY] if each.light is not None]
    if not lit:
        raise ModelError("'baseline:shading': the light is not known in any frame")
    how, _ = best_regularisation(
        [each.image for each in lit],
        [_direction(each.light) for each in lit],
        [each.truth for each in lit],
    )
    return (
        f"reach {how.reach_px:g} px, blur {how.blur_px:g} px",
        lambda image, light: shape_from_shading(image, _direction(light), how),
    )


def _direction(light: KnownLight | None) -> LightDirection:
    if light is None:
        raise ModelError("'baseline:shading': the light of a frame is not known")
    return LightDirection(**asdict(light))


GUESSES: Mapping[str, Guess] = {"flat": _flat}
"""Baselines that need no fit."""
FITS: Mapping[str, Fit] = {"blur": _fit_blur, "shading": _fit_shading}
"""Baselines that are fitted to some frames first, with the truth in hand."""


class Baseline:
    """Height without a model, at the size of the embedded one's input."""

    def __init__(self, name: str, depth: DepthSection, *, pictures: bool) -> None:
        """Choose a baseline.

        Raises:
            ModelError: there is none of that name.
        """
        known = name.removeprefix(PREFIX)
        if known not in GUESSES and known not in FITS:
            offers = ", ".join(PREFIX + each for each in (*GUESSES, *FITS))
            raise ModelError(f"'{name}': expected {offers}")
        self._name, self._depth, self._pictures = name, depth, pictures
        self._guess, self._fit = GUESSES.get(known), FITS.get(known)
        self._examples: list[Example] = []

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
            self._examples.append(Example(given.image, truth, frame.light))

    def settle(self) -> None:
        """Fit to what was observed.

        Raises:
            ModelError: no frame has relief.
        """
        if self._fit is None:
            return
        if not self._examples:
            raise ModelError(f"'{self._name}': no frame has relief to be fitted to")
        said, self._guess = self._fit(self._examples)
        self._examples = []
        self._name = f"{self._name} ({said})"

    def predict(self, frame: TrueFrame) -> DepthMap:
        """Guess the height of a frame."""
        given = resized(frame, self._depth, self._pictures)
        if self._guess is None:
            raise ModelError(f"'{self._name}' was not fitted to frames")
        return height_map(given, self._guess(given.image, frame.light))

    def about(self) -> About:
        """A baseline has neither file nor engine."""
        height = Convention.HEIGHT.value
        return About(self._name, None, "none", height, "relative", 0.0, baseline=True)

    def close(self) -> None:
        """Nothing is held."""
