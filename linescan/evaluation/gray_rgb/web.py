"""Frames of the simulated web in colour that has nothing to do with its relief.

The web is the one that held-out frames show, its true height known; on it lie patches of coloured
print and slowly changing tints, placed at random. Each channel is the gray frame times the
reflectance in that channel, as white light on a coloured surface gives it.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from linescan.evaluation.gray_rgb.colour import ColourPicture, Loader
from linescan.simulation import HELD_OUT_SEEDS

SIDE: Final = 504
"""Rows and columns of a frame."""
PATCHES: Final = 14
"""Coloured patches in a frame."""
LEAST_REFLECTANCE: Final = 0.25
"""Of a colour where it is darkest, as a share of the uncoloured web's."""


def web_loaders(count: int) -> list[Loader]:
    """The first ``count`` held-out frames, in colour.

    Raises:
        ValueError: there are fewer held-out seeds.
    """
    if count > len(HELD_OUT_SEEDS):
        raise ValueError(f"{count} frames: there are {len(HELD_OUT_SEEDS)} held-out seeds")
    return [lambda seed=seed: coloured_web(seed) for seed in HELD_OUT_SEEDS[:count]]  # type: ignore[misc]


def coloured_web(seed: int, side: int = SIDE) -> ColourPicture:
    """The frame of a seed: the same picture for the same seed.

    Its ``height`` is in pixels of the frame.
    """
    from linescan.training.data import simulated_frame

    # The narrow ranges: the published comparison is about them.
    frame = simulated_frame(seed, side, reduction=1, ranges="narrow")
    channels = frame.image[:, :, None] * reflectance(seed, side)
    rgb = np.clip(np.rint(channels), 0, 255).astype(np.uint8)
    return ColourPicture(f"web-{seed}", rgb, frame.height)


def reflectance(seed: int, side: int) -> NDArray[np.float32]:
    """(side, side, 3) float32, ``LEAST_REFLECTANCE`` to 1: tints and patches of print."""
    rng = np.random.default_rng((seed, 0xC0))
    coarse = rng.uniform(0.7, 1.0, (4, 4, 3)).astype(np.float32)
    colours = np.asarray(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_LINEAR))
    for _ in range(PATCHES):
        mask: NDArray[np.uint8] = np.zeros((side, side), np.uint8)
        centre = rng.integers(0, side, 2).tolist()
        axes = rng.integers(side // 40 + 1, side // 8 + 2, 2).tolist()
        cv2.ellipse(mask, centre, axes, float(rng.uniform(0, 180)), 0, 360, 255, -1, cv2.LINE_AA)
        ink = rng.uniform(LEAST_REFLECTANCE, 1.0, 3).astype(np.float32)
        share = mask[:, :, None].astype(np.float32) / np.float32(255)
        colours = colours * (1 - share) + ink * share
    return np.asarray(np.clip(colours, LEAST_REFLECTANCE, 1.0), np.float32)
