"""Another light on the same image: what may change while the height stays."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

GAMMA, GAIN, OFFSET, FALL_OFF, NOISE = 0.25, 0.2, 12.0, 0.2, 3.0
"""Largest change: of the exponent and the gain (relative), of the level (gray levels), of the gain
from the middle to the border (relative), and the noise's deviation (gray levels)."""


def relight(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Each image under a light of its own: gamma, gain, level, fall-off to a side, and noise.

    Args:
        images: (n, 1, h, w) uint8.
        rng: where the light comes from.

    Returns:
        (n, 1, h, w) uint8.
    """
    changed = []
    for image in images[:, 0].float():
        rows, columns = image.shape
        gamma, gain, along, across = rng.uniform(-1, 1, 4)
        light = (1 + GAIN * gain) * (
            1
            + FALL_OFF * float(along) * torch.linspace(-1, 1, rows)[:, None]
            + FALL_OFF * float(across) * torch.linspace(-1, 1, columns)[None]
        )
        noise = torch.from_numpy(rng.standard_normal(image.shape, dtype=np.float32))
        lit = 255 * (image / 255) ** float(np.exp(GAMMA * gamma)) * light
        lit = lit + OFFSET * float(rng.uniform(-1, 1)) + NOISE * float(rng.random()) * noise
        changed.append(lit.round().clamp(0, 255).to(torch.uint8))
    return torch.stack(changed)[:, None]
