from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import DepthAnythingForDepthEstimation

from linescan.depth.export.checkpoint import IMAGENET_MEAN, IMAGENET_STD
from linescan.depth.export.fold import fold
from linescan.errors import ModelError


def load(checkpoint: Path) -> Any:
    return DepthAnythingForDepthEstimation.from_pretrained(
        checkpoint, dtype=torch.float32, attn_implementation="eager"
    ).eval()


def original(model: Any, gray: torch.Tensor) -> torch.Tensor:
    mean = torch.tensor(IMAGENET_MEAN, dtype=torch.float64).view(1, 3, 1, 1)
    std = torch.tensor(IMAGENET_STD, dtype=torch.float64).view(1, 3, 1, 1)
    return ((gray.double() / 255).expand(1, 3, -1, -1) - mean) / std


@torch.no_grad()
def test_patch_embedding_of_gray_equals_that_of_three_normalised_channels(
    checkpoint: Path,
) -> None:
    model = load(checkpoint)
    gray = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (1, 1, 70, 98), np.uint8))
    embedding = model.backbone.embeddings.patch_embeddings.projection.double()
    expected = embedding(original(model, gray))
    model.float()
    folded = fold(model, IMAGENET_MEAN, IMAGENET_STD)
    projection = folded.model.backbone.embeddings.patch_embeddings.projection
    assert projection.in_channels == 1
    error = (projection(gray.float()).double() - expected).abs().max() / expected.abs().max()
    assert error < 2e-6


@torch.no_grad()
@pytest.mark.parametrize("size", [(70, 70), (84, 42), (98, 126)])
def test_whole_model_on_gray_equals_the_original_on_three_channels(
    checkpoint: Path, size: tuple[int, int]
) -> None:
    model = load(checkpoint)
    gray = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (1, 1, *size), np.uint8))
    expected = model(pixel_values=original(model, gray).float()).predicted_depth
    got = fold(model, IMAGENET_MEAN, IMAGENET_STD)(gray)
    assert got.shape == expected.shape == (1, *size)
    spread = expected.max() - expected.min()
    assert spread > 0.1
    assert (got - expected).abs().max() < 2e-5 * spread


def test_a_padded_embedding_is_refused(checkpoint: Path) -> None:
    """With padding the border would see normalised zeros: the fold would not be exact."""
    model = load(checkpoint)
    model.backbone.embeddings.patch_embeddings.projection.padding = (1, 1)
    with pytest.raises(ModelError, match="no padding"):
        fold(model, IMAGENET_MEAN, IMAGENET_STD)


def test_another_backbone_is_refused(checkpoint: Path) -> None:
    model = load(checkpoint)
    model.backbone = torch.nn.Identity()
    with pytest.raises(ModelError, match="no patch embedding"):
        fold(model, IMAGENET_MEAN, IMAGENET_STD)
