"""Weights of a torch model from those of an exported file."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from linescan.training.model import IMAGENET_MEAN, IMAGENET_STD

State = dict[str, torch.Tensor]


def unfold_normalisation(
    weight: NDArray[np.float64], bias: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A patch embedding of three normalised channels that folds to the given one of gray uint8.

    With W'c = 255·σc·W/3 and b' = b + Σc W'c·μc/σc the fold's W = Σc W'c/(255·σc) and
    b = b' - Σc W'c·μc/σc come back.

    Args:
        weight: (out, 1, rows, columns).
        bias: (out,).

    Returns:
        Weight (out, 3, rows, columns) and bias (out,).
    """
    mu, sigma = (np.array(v).reshape(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    three = weight * (255.0 * sigma / 3)
    # As the fold will see it: rounded to the fp32 in which the model keeps it.
    seen = three.astype(np.float32).astype(np.float64)
    return three, bias + (seen * mu / sigma).sum(axis=(1, 2, 3))


def linear(name: str, weight: NDArray[np.float64], bias: NDArray[np.float64]) -> State:
    """Of a linear layer."""
    return {f"{name}.weight": tensor(weight), f"{name}.bias": tensor(bias)}


def plain_norm(name: str, width: int) -> State:
    """Of a norm whose factors were folded into the layers after it."""
    return {f"{name}.weight": torch.ones(width), f"{name}.bias": torch.zeros(width)}


def tensor(values: NDArray[np.float64]) -> torch.Tensor:
    """Float32, as torch wants it."""
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
