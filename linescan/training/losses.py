"""Losses for height with its scale.

Gradient matching over scales after Z. Li and N. Snavely, "MegaDepth", CVPR 2018, as in R. Ranftl et
al., "Towards robust monocular depth estimation" (MiDaS), TPAMI 2022.
"""

from __future__ import annotations

import torch
from torch.nn import functional

GRADIENT_SCALES = (1, 2, 4, 8, 16)
ABSOLUTE_WEIGHT = 0.5
GRADIENT_WEIGHT = 2.0
LEAST_DEVIATION = 0.1
"""Model pixels. Frames of low relief count as much as those of high relief, down to this."""
OUTLINE_WEIGHT = 0.5
OUTLINE_HEIGHT = 0.25
"""Model pixels. What is much higher counts as relief, however high; what is much lower, as none."""
LEAST_RELIEF = 0.05
"""Share of a frame's area that relief is taken to have at least: what flat print raises weighs."""


def absolute_loss(predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the mean absolute difference of each frame: (n, h, w) twice to (n,)."""
    return (predicted - target).abs().mean(dim=(1, 2))


def root_mean_square_loss(predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the root mean square difference of each frame: (n, h, w) twice to (n,).

    It is what the model is judged by; and where nearly all of a frame is right, as with flat print,
    it weighs the few high traces more than a mean does.
    """
    return ((predicted - target).square().mean(dim=(1, 2)) + 1e-6).sqrt()


def gradient_loss(predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the mean absolute difference of the gradients, over scales: (n, h, w) to (n,).

    Coarse scales see the inside of plateaus, which the finest leaves to sag.
    """
    difference = (predicted - target)[:, None]
    total = torch.zeros(len(predicted))
    for scale in GRADIENT_SCALES:
        level = functional.avg_pool2d(difference, scale) if scale > 1 else difference
        across = (level[..., 1:] - level[..., :-1]).abs().mean(dim=(1, 2, 3))
        along = (level[..., 1:, :] - level[..., :-1, :]).abs().mean(dim=(1, 2, 3))
        total = total + across + along
    return total / len(GRADIENT_SCALES)


def outline_loss(predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return how much of each frame's relief is amiss, by area: (n, h, w) to (n,).

    Heights are squashed by tanh, so that low objects count as much as high ones and an outline that
    is off by a pixel costs the same on both: nearly one minus the overlap of the masks.
    """
    here, there = torch.tanh(predicted / OUTLINE_HEIGHT), torch.tanh(target / OUTLINE_HEIGHT)
    amiss = (here - there).abs().mean(dim=(1, 2))
    return amiss / (there.abs().mean(dim=(1, 2)) + LEAST_RELIEF)


def height_loss(predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the training loss.

    Each frame's loss is divided by its deviation, because the model is judged relative to that; but
    for that of the outlines, which is relative already.

    Args:
        predicted: (n, h, w) float32, height in model pixels over the bare web.
        target: (n, h, w) float32, the same, each frame's median at zero.

    Returns:
        A scalar.
    """
    deviation = target.std(dim=(1, 2)) + LEAST_DEVIATION
    loss = root_mean_square_loss(predicted, target)
    loss = loss + ABSOLUTE_WEIGHT * absolute_loss(predicted, target)
    loss = loss + GRADIENT_WEIGHT * gradient_loss(predicted, target)
    outlines = OUTLINE_WEIGHT * outline_loss(predicted, target)
    return (loss / deviation + outlines).mean()
