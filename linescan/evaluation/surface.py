"""Judging a height model on simulated frames it has never seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linescan.evaluation.baselines import best_blur, constant
from linescan.evaluation.metrics import align, rmse, rmse_over_sigma
from linescan.evaluation.shape_from_shading import (
    LightDirection,
    Regularisation,
    best_regularisation,
    shape_from_shading,
)

Image = NDArray[np.uint8]
Height = NDArray[np.float32]
Predictor = Callable[[Image], Height]

SHADING_EVERY = 8
"""Of the frames, one in so many is used to choose the regularisation, with the truth in hand."""


@dataclass(frozen=True, slots=True)
class FrameScore:
    """One frame's result.

    Attributes:
        seed: of the scene.
        model: the model's RMSE over sigma after alignment.
        constant: that of a flat web.
        blurred: that of the blurred image.
        shading: that of shape from shading; None if the light was not told.
        scale: the model's alignment; positive if hollow and raised are told apart.
        unaligned: the model's RMSE over sigma with its own scale, only the mean taken off; None if
            its output has no scale of its own.
    """

    seed: int
    model: float
    constant: float
    blurred: float
    shading: float | None
    scale: float
    unaligned: float | None


@dataclass(frozen=True, slots=True)
class SurfaceReport:
    """The result over all frames.

    Attributes:
        frames: one score a frame.
        blur_px: the blur that served the image baseline best.
        shading: the regularisation that served shape from shading best.
    """

    frames: tuple[FrameScore, ...]
    blur_px: float
    shading: Regularisation | None = None

    @property
    def baselines(self) -> tuple[str, ...]:
        """Names of the baselines' scores."""
        return ("constant", "blurred", *(("shading",) if self.shading is not None else ()))

    def mean(self, name: str) -> float:
        """Return the mean over the frames of one of ``FrameScore``'s figures."""
        return float(np.mean([getattr(f, name) for f in self.frames]))

    def median(self, name: str) -> float:
        """Return the median over the frames of one of ``FrameScore``'s figures."""
        return float(np.median([getattr(f, name) for f in self.frames]))

    @property
    def ratio(self) -> float:
        """The model's mean over that of the best baseline; below 1 it is better than all."""
        return self.mean("model") / min(self.mean(name) for name in self.baselines)

    @property
    def right_sign(self) -> float:
        """Share of the frames in which raised is raised."""
        return float(np.mean([f.scale > 0 for f in self.frames]))

    def summary(self) -> dict[str, Any]:
        """Return the figures of all frames together, for JSON."""
        names = ("model", *self.baselines)
        figures: dict[str, Any] = {
            "frames": len(self.frames),
            "blur_px": self.blur_px,
            "mean": {n: self.mean(n) for n in names},
            "median": {n: self.median(n) for n in names},
            "ratio": self.ratio,
            "right_sign": self.right_sign,
            "median_scale": self.median("scale"),
        }
        if self.shading is not None:
            figures["shading"] = asdict(self.shading)
        if all(f.unaligned is not None for f in self.frames):
            figures["mean_unaligned"] = self.mean("unaligned")
        return figures


def judge(
    predict: Predictor,
    seeds: Sequence[int],
    frames: Iterable[tuple[Image, Height]],
    *,
    metric: bool,
    lights: Sequence[LightDirection] | None = None,
) -> SurfaceReport:
    """Judge a model on frames with known height.

    Args:
        predict: from (h, w) uint8 to (h, w) float32.
        seeds: the frames' seeds, for the record.
        frames: images (h, w) uint8 and heights (h, w) float32 in model pixels.
        metric: whether the model's output is itself in model pixels.
        lights: where the light came from in each frame; without, shape from shading is left out.
    """
    pairs = list(frames)
    images, heights = [image for image, _ in pairs], [height for _, height in pairs]
    blur_px, blurred = best_blur(images, heights)
    how, shaded = _shading(images, lights, heights)
    scores = []
    for seed, image, height, from_image, from_shading in zip(
        seeds, images, heights, blurred, shaded, strict=True
    ):
        predicted = predict(image)
        centred = predicted - predicted.mean() + height.mean()
        scores.append(
            FrameScore(
                seed=seed,
                model=rmse_over_sigma(predicted, height),
                constant=rmse_over_sigma(constant(image), height),
                blurred=from_image,
                shading=from_shading,
                scale=align(predicted, height).scale,
                unaligned=rmse(centred, height) / float(height.std()) if metric else None,
            )
        )
    return SurfaceReport(tuple(scores), blur_px, how)


def _shading(
    images: Sequence[Image], lights: Sequence[LightDirection] | None, heights: Sequence[Height]
) -> tuple[Regularisation | None, list[float] | list[None]]:
    """Return shape from shading's best regularisation and its score on each frame."""
    if lights is None:
        return None, [None] * len(images)
    some = slice(None, None, SHADING_EVERY)
    how, _ = best_regularisation(images[some], lights[some], heights[some])
    return how, [
        rmse_over_sigma(shape_from_shading(image, light, how), height)
        for image, light, height in zip(images, lights, heights, strict=True)
    ]


def checkpoint_predictor(folder: Path) -> Predictor:
    """Return the predictor of a Hugging Face checkpoint folder, in float32."""
    import torch

    from linescan.training.model import load_model, predict_height

    model = load_model(folder)

    def predict(image: Image) -> Height:
        with torch.no_grad():
            height = predict_height(model, torch.from_numpy(image)[None, None])
        return np.asarray(height[0].numpy(), dtype=np.float32)

    return predict
