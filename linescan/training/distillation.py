"""Learning from a teacher: the relative depth of a larger model, beside the known height.

A published model (``small``) has seen many more pictures than the simulated web shows. Its
disparity has neither scale nor unit, so that the loss on it is blind to both: R. Ranftl et al.,
"Towards robust monocular depth estimation" (MiDaS), TPAMI 2022, equations 5 and 6.
"""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import DepthAnythingForDepthEstimation

from linescan.training.model import load_model, normalise

LEAST_SPREAD = 1e-3
"""Of a map, in its own unit: below it the map is flat, and noise is not blown up."""


class Teacher:
    """A trained model that is only asked."""

    def __init__(self, folder: Path) -> None:
        """Load a Hugging Face checkpoint.

        Raises:
            FileNotFoundError: there is none in the folder.
            ValueError: its output is metric, not a relative disparity.
        """
        if not (folder / "config.json").is_file():
            raise FileNotFoundError(f"no teacher (config.json) in {folder}")
        self._model: DepthAnythingForDepthEstimation = load_model(folder)
        if self._model.config.depth_estimation_type != "relative":
            raise ValueError(f"the teacher in {folder} is metric: a relative one is wanted")
        for parameter in self._model.parameters():
            parameter.requires_grad_(False)

    def disparity(self, images: torch.Tensor, bfloat16: bool) -> torch.Tensor:
        """Return (n, h, w) float32, nearer is larger, from images (n, 1, h, w) uint8."""
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16):
            return self._model(pixel_values=normalise(images)).predicted_depth.float()


def invariant_loss(predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the mean absolute difference after each map is centred and scaled.

    Args:
        predicted: (n, h, w) float32, height or disparity.
        target: (n, h, w) float32, in any unit; nearer is larger in both.

    Returns:
        A scalar, from 0 (equal but for scale and shift) to about 2.
    """
    return (_standard(predicted) - _standard(target)).abs().mean()


def _standard(maps: torch.Tensor) -> torch.Tensor:
    """Return each map less its median, over its mean absolute deviation from it."""
    flat = maps.flatten(1)
    centred = flat - flat.median(dim=1, keepdim=True).values
    spread = centred.abs().mean(dim=1, keepdim=True)
    return centred / spread.clamp(min=LEAST_SPREAD)
