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
    Scene,
    SimulatedWeb,
    WebLines,
    print_scene,
    sample_scene,
)
from linescan.simulation.ranges import Ranges, without_relief


@dataclass(frozen=True, slots=True)
class View:
    """How a training frame is taken of its web.

    Attributes:
        reduction: camera pixels per model pixel: what a model learns must hold for any camera.
        part: the web's width over the frame's. Where it is more than 1, objects are larger in the
            frame and its borders cut more of them.
        share: of the training frames.
    """

    reduction: int
    part: float
    share: float


VIEWS = (
    View(1, 1.0, 0.20),
    View(2, 1.0, 0.52),
    View(3, 1.0, 0.06),
    View(4, 1.0, 0.03),
    View(1, 1.5, 0.19),
)
"""Wide webs take longest to draw, and are rare for that."""

FLAT_SHARE = 0.05
"""Share of training frames without relief: a flat web must come out flat."""

PRINT_SHARE = 0.12
"""Share of training frames with nothing but flat print, of which nothing may come out."""


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


def simulated_frame(
    seed: int, size: int, reduction: int = 2, ranges: Ranges = "wide"
) -> HeightFrame:
    """Return the frame of ``seed``, which starts at line 0 of its web.

    Args:
        seed: which scene (``linescan.simulation.sample_scene``).
        size: of the model's input, in pixels.
        reduction: camera pixels per model pixel.
        ranges: of the generator.
    """
    scene = sample_scene(seed, size * reduction, ranges)
    return reduce_lines(SimulatedWeb(scene).lines(0, scene.width), scene, reduction)


def training_frame(index: int, size: int, seed: int = 0) -> HeightFrame:
    """Return the training frame number ``index``: a function of ``index``, ``size`` and ``seed``.

    View, kind of scene and mirroring are drawn here. Image and height are mirrored together and
    only across the web: along the web it would turn the light around.
    """
    rng = np.random.default_rng((seed, index))
    view = VIEWS[int(rng.choice(len(VIEWS), p=[v.share for v in VIEWS]))]
    kind, place, mirrored = rng.random(), rng.random(), rng.random() < 0.5
    scene = _training_scene(
        TRAINING_SEEDS[(seed * 50_021 + index) % len(TRAINING_SEEDS)],
        round(size * view.reduction * view.part),
        kind,
    )
    count = size * view.reduction
    lines = _columns(SimulatedWeb(scene).lines(0, count), count, place)
    frame = reduce_lines(lines, scene, view.reduction)
    if not mirrored:
        return frame
    return replace(
        frame,
        image=np.ascontiguousarray(frame.image[:, ::-1]),
        height=np.ascontiguousarray(frame.height[:, ::-1]),
    )


def _training_scene(seed: int, width: int, kind: float) -> Scene:
    """Return a scene with relief, with print alone or with neither, as ``kind`` (0 to 1) falls."""
    if kind < PRINT_SHARE:
        return print_scene(seed, width)
    scene = sample_scene(seed, width)
    return without_relief(scene) if kind < PRINT_SHARE + FLAT_SHARE else scene


def _columns(lines: WebLines, count: int, place: float) -> WebLines:
    """Return ``count`` columns of a stretch, from its left (``place`` 0) to its right (1)."""
    first = int(place * (lines.pixels.shape[1] - count + 1))
    part = np.s_[:, first : first + count]
    return replace(
        lines, pixels=lines.pixels[part], height=lines.height[part], labels=lines.labels[part]
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
