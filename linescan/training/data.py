"""Training frames from the simulated web: 8-bit images and heights in model pixels.

A frame is as many lines as the web has columns, reduced by area to the model's input. Heights are
divided by the size of a model pixel: shading shows slopes, and rise over run has no unit, so the
height in model pixels is what an image can tell. ``height_mm = value * pitch_mm * reduction``.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from linescan.simulation import (
    TRAINING_SEEDS,
    FeatureMix,
    Scene,
    SimulatedWeb,
    WebLines,
    sample_scene,
)

REDUCTIONS = (1, 2, 3, 4)
"""Camera pixels per model pixel: what a model learns must hold for cameras of any width."""

REDUCTION_SHARES = (0.15, 0.70, 0.10, 0.05)
FLAT_SHARE = 0.08
"""Share of training frames without relief: a flat web must come out flat."""


@dataclass(frozen=True, slots=True)
class HeightFrame:
    """One frame with its truth, at the model's resolution.

    Attributes:
        image: (size, size) uint8.
        height: (size, size) float32, model pixels, its median taken off.
        model_pixel_mm: mm in one model pixel, both along the web and in height.
    """

    image: NDArray[np.uint8]
    height: NDArray[np.float32]
    model_pixel_mm: float


def to_8_bit(pixels: NDArray[np.generic], bit_depth: int) -> NDArray[np.uint8]:
    """Return (h, w) uint8 from pixels of 8, 12 or 16 bits."""
    if bit_depth == 8:
        return np.asarray(pixels, dtype=np.uint8)
    full_scale = (1 << bit_depth) - 1
    return np.rint(pixels.astype(np.float32) * (255 / full_scale)).astype(np.uint8)


def reduce_lines(lines: WebLines, scene: Scene, reduction: int) -> HeightFrame:
    """Reduce a square stretch of the web by area.

    Args:
        lines: (n, n) of the web, with n a multiple of ``reduction``.
        scene: the web's scene; gives pitch and bit depth.
        reduction: camera pixels per model pixel.
    """
    size = (lines.pixels.shape[1] // reduction, lines.pixels.shape[0] // reduction)
    image = cv2.resize(lines.pixels, size, interpolation=cv2.INTER_AREA)
    height = cv2.resize(lines.height, size, interpolation=cv2.INTER_AREA)
    model_pixel_mm = scene.pitch_mm * reduction
    height = (height - np.median(height)) / np.float32(model_pixel_mm)
    return HeightFrame(to_8_bit(image, scene.camera.bit_depth), height, model_pixel_mm)


def simulated_frame(seed: int, size: int, reduction: int = 2) -> HeightFrame:
    """Return the frame of ``seed``, which starts at line 0 of its web.

    Args:
        seed: which scene (``linescan.simulation.sample_scene``).
        size: of the model's input, in pixels.
        reduction: camera pixels per model pixel.
    """
    scene = sample_scene(seed, size * reduction)
    return reduce_lines(SimulatedWeb(scene).lines(0, scene.width), scene, reduction)


def training_frame(index: int, size: int, seed: int = 0) -> HeightFrame:
    """Return the training frame number ``index``: a function of ``index``, ``size`` and ``seed``.

    Camera width, flatness and mirroring are drawn here. Image and height are mirrored together and
    only across the web: along the web it would turn the light around.
    """
    rng = np.random.default_rng((seed, index))
    reduction = int(rng.choice(REDUCTIONS, p=REDUCTION_SHARES))
    flat, mirrored = rng.random() < FLAT_SHARE, rng.random() < 0.5
    scene = sample_scene(
        TRAINING_SEEDS[(seed * 50_021 + index) % len(TRAINING_SEEDS)], size * reduction
    )
    if flat:
        scene = replace(scene, relief=FeatureMix(), waviness=0.0)
    frame = reduce_lines(SimulatedWeb(scene).lines(0, scene.width), scene, reduction)
    if not mirrored:
        return frame
    return replace(
        frame,
        image=np.ascontiguousarray(frame.image[:, ::-1]),
        height=np.ascontiguousarray(frame.height[:, ::-1]),
    )


def stack(frames: Sequence[HeightFrame]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return images (n, 1, h, w) uint8 and heights (n, h, w) float32."""
    images = np.stack([f.image for f in frames])[:, None]
    return torch.from_numpy(images), torch.from_numpy(np.stack([f.height for f in frames]))


class TrainingBatches(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Batches by step number, so that a resumed run sees what an unbroken one would have seen."""

    def __init__(self, first_step: int, steps: int, batch: int, size: int, seed: int) -> None:
        """Prepare the batches of steps ``first_step`` to ``steps``."""
        self._first, self._steps = first_step, steps
        self._batch, self._size, self._seed = batch, size, seed

    def __len__(self) -> int:
        """Return how many batches are left."""
        return self._steps - self._first

    def __getitem__(self, item: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return one batch."""
        if not 0 <= item < len(self):
            raise IndexError(item)
        start = (self._first + item) * self._batch
        return stack(
            [training_frame(start + k, self._size, self._seed) for k in range(self._batch)]
        )


def prepare_worker(_worker: int) -> None:
    """Keep a data worker to one thread, and leave Ctrl-C to the trainer, which ends cleanly."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
