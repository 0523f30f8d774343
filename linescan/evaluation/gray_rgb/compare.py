"""One picture, in colour, gray, with noise and as JPEG: what the depth of each differs by."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linescan.depth.resize import resize_area
from linescan.evaluation.gray_rgb.colour import (
    ColourPicture,
    Gray,
    Rgb,
    Skipped,
    as_jpeg,
    colourfulness,
    luma,
    with_noise,
)
from linescan.evaluation.gray_rgb.engines import EnginePair
from linescan.evaluation.metrics import align, rank_correlation, rmse_over_sigma
from linescan.records import FloatArray


@dataclass(frozen=True, slots=True)
class Difference:
    """How the depth of a variant relates to that of the RGB picture.

    Attributes:
        rank_correlation: Spearman's, of a fixed sample of the pixels.
        deviation: RMSE over the standard deviation of the RGB depth, after the best scale and
            shift.
        same_sign: that scale is positive: near stays near.
    """

    rank_correlation: float
    deviation: float
    same_sign: bool


@dataclass(frozen=True, slots=True)
class Round:
    """One timed round, in ms: gray, then RGB.

    ``prepare`` takes the picture at its own size to the model's, ``engine`` from there to depth.
    """

    gray_prepare: float
    gray_engine: float
    rgb_prepare: float
    rgb_engine: float

    @property
    def engine_ratio(self) -> float:
        """Gray over RGB, the engine alone."""
        return self.gray_engine / self.rgb_engine

    @property
    def ratio(self) -> float:
        """Gray over RGB, from the picture to its depth."""
        return (self.gray_prepare + self.gray_engine) / (self.rgb_prepare + self.rgb_engine)


@dataclass(frozen=True, slots=True)
class Truth:
    """RMSE over sigma against the true height, each after its own alignment."""

    gray: float
    rgb: float


@dataclass(frozen=True, slots=True)
class PictureScore:
    """All about one picture.

    Attributes:
        name: of the picture.
        shape: its rows and columns.
        colour: its ``colourfulness``, gray levels.
        gray: depth of the gray picture against that of the RGB one.
        noise: of the first control, RGB with noise.
        jpeg: of the second control, RGB after JPEG.
        rounds: the timed rounds.
        truth: against the true height; None where it is not known.
    """

    name: str
    shape: tuple[int, int]
    colour: float
    gray: Difference
    noise: Difference
    jpeg: Difference
    rounds: tuple[Round, ...]
    truth: Truth | None


@dataclass(frozen=True, slots=True)
class Shown:
    """What the pictures of the report need, at the model's size.

    Attributes:
        score: the figures.
        rgb: (h, w, 3) uint8, what the model saw.
        gray: (h, w) uint8, what the model saw.
        rgb_depth: (h, w) float32.
        gray_depth: (h, w) float32, aligned to it.
    """

    score: PictureScore
    rgb: Rgb
    gray: Gray
    rgb_depth: FloatArray
    gray_depth: FloatArray


def compare(picture: ColourPicture, engines: EnginePair, rounds: int) -> Shown | Skipped:
    """Compare the depths of one picture, then time both ways.

    Both controls are applied at the model's size, so that they mean the same for pictures of every
    size. The untimed runs are the warm-up.

    Args:
        picture: at its own size; it is stretched to the model's.
        engines: what runs it.
        rounds: timed rounds.
    """
    gray_picture = luma(picture.rgb)
    rgb = _prepare(picture.rgb, engines)
    gray = _prepare(gray_picture, engines)
    depth = engines.rgb.infer(rgb)
    if float(np.ptp(depth)) == 0.0:
        return Skipped(picture.name, "the model gives it the same depth everywhere")
    gray_depth = engines.gray.infer(gray)
    score = PictureScore(
        name=picture.name,
        shape=gray_picture.shape,
        colour=colourfulness(picture.rgb),
        gray=difference(gray_depth, depth),
        noise=difference(engines.rgb.infer(with_noise(rgb)), depth),
        jpeg=difference(engines.rgb.infer(as_jpeg(rgb)), depth),
        rounds=tuple(_time_round(picture.rgb, gray_picture, engines) for _ in range(rounds)),
        truth=_against_truth(picture.height, gray_depth, depth),
    )
    aligned = align(gray_depth, depth).apply(gray_depth).astype(np.float32)
    return Shown(score, rgb, gray, depth, aligned)


def difference(depth: FloatArray, rgb_depth: FloatArray) -> Difference:
    """Compare a variant's depth with that of the RGB picture.

    Raises:
        ValueError: the RGB depth is constant.
    """
    return Difference(
        rank_correlation=rank_correlation(depth, rgb_depth),
        deviation=rmse_over_sigma(depth, rgb_depth),
        same_sign=align(depth, rgb_depth).scale > 0,
    )


def _prepare(pixels: NDArray[np.uint8], engines: EnginePair) -> NDArray[np.uint8]:
    return np.ascontiguousarray(resize_area(pixels, engines.rgb.size), dtype=np.uint8)


def _against_truth(
    height: FloatArray | None, gray_depth: FloatArray, rgb_depth: FloatArray
) -> Truth | None:
    if height is None:
        return None
    import cv2

    rows, columns = rgb_depth.shape
    truth = np.asarray(cv2.resize(height, (columns, rows), interpolation=cv2.INTER_AREA))
    if float(np.ptp(truth)) == 0.0:
        return None
    return Truth(rmse_over_sigma(gray_depth, truth), rmse_over_sigma(rgb_depth, truth))


def _time_round(rgb: Rgb, gray: Gray, engines: EnginePair) -> Round:
    """Time gray, then RGB, after RGB was the last to run.

    In strict turns each engine finds the processor's caches full of the other's weights; if they
    took turns to be the first, one would now and then run twice in a row, and faster.
    """
    gray_times = _time(lambda: _prepare(gray, engines), engines.gray.infer)
    rgb_times = _time(lambda: _prepare(rgb, engines), engines.rgb.infer)
    return Round(*gray_times, *rgb_times)


def _time(
    prepare: Callable[[], NDArray[np.uint8]], infer: Callable[[NDArray[np.uint8]], FloatArray]
) -> tuple[float, float]:
    """Milliseconds of preparation and of the engine."""
    start = time.perf_counter()
    image = prepare()
    between = time.perf_counter()
    infer(image)
    end = time.perf_counter()
    return (between - start) * 1e3, (end - between) * 1e3
