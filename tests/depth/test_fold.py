from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import DepthAnythingForDepthEstimation

from linescan.depth.export.description import IMAGENET_MEAN, IMAGENET_STD
from linescan.depth.export.fold import after_norm, before_scale, fold, fold_normalisation
from linescan.depth.export.network import enlarge
from linescan.errors import ModelError


def load(checkpoint: Path) -> Any:
    return DepthAnythingForDepthEstimation.from_pretrained(
        checkpoint, dtype=torch.float32, attn_implementation="eager"
    ).eval()


def original(model: Any, gray: torch.Tensor) -> torch.Tensor:
    mean = torch.tensor(IMAGENET_MEAN, dtype=torch.float64).view(1, 3, 1, 1)
    std = torch.tensor(IMAGENET_STD, dtype=torch.float64).view(1, 3, 1, 1)
    return ((gray.double() / 255).expand(1, 3, -1, -1) - mean) / std


def randomised(checkpoint: Path) -> Any:
    """The model with a value of its own wherever a fresh one has ones or zeros."""
    model = load(checkpoint)
    torch.manual_seed(5)
    for module in model.backbone.modules():
        if isinstance(module, torch.nn.LayerNorm):
            torch.nn.init.uniform_(module.weight, 0.3, 2.0)
            torch.nn.init.normal_(module.bias)
        elif hasattr(module, "lambda1"):
            torch.nn.init.uniform_(module.lambda1, -1.0, 1.0)
    for name, parameter in model.named_parameters():
        if name.endswith("bias") and not name.startswith("head"):
            torch.nn.init.normal_(parameter, std=0.2)
    return model


@torch.no_grad()
def test_patch_embedding_of_gray_equals_that_of_three_normalised_channels(
    checkpoint: Path,
) -> None:
    model = load(checkpoint)
    gray = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (1, 1, 70, 98), np.uint8))
    embedding = model.backbone.embeddings.patch_embeddings.projection
    expected = copy.deepcopy(embedding).double()(original(model, gray))
    folded = fold_normalisation(embedding, IMAGENET_MEAN, IMAGENET_STD, 1)
    assert folded.in_channels == 1
    error = (folded(gray.float()).double() - expected).abs().max() / expected.abs().max()
    assert error < 2e-6


@torch.no_grad()
@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("size", "fixed"), [((70, 70), True), ((70, 70), False), ((84, 42), False), ((98, 126), True)]
)
def test_the_whole_network_equals_the_original(
    checkpoint: Path, size: tuple[int, int], fixed: bool, channels: int, fused: bool
) -> None:
    """All rewrites at once, in float64: what remains is rounding, not an approximation."""
    model = randomised(checkpoint).double()
    image = torch.from_numpy(
        np.random.default_rng(1).integers(0, 256, (1, channels, *size), np.uint8)
    )
    expected = model(pixel_values=original(model, image)).predicted_depth
    network = fold(
        model.float(),
        IMAGENET_MEAN,
        IMAGENET_STD,
        channels=channels,
        size=size if fixed else None,
        fused=fused,
    )
    got = network(image)
    assert got.shape == expected.shape == (1, *size)
    spread = expected.max() - expected.min()
    assert spread > 0.1
    assert (got - expected).abs().max() < 2e-5 * spread


@torch.no_grad()
def test_the_model_that_is_folded_stays_as_it_is(checkpoint: Path) -> None:
    model = load(checkpoint)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    fold(model, IMAGENET_MEAN, IMAGENET_STD)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@torch.no_grad()
def test_each_rewrite_alone_is_exact() -> None:
    torch.manual_seed(0)
    x = torch.randn(5, 7, 12, dtype=torch.float64)
    norm, linear = torch.nn.LayerNorm(12).double(), torch.nn.Linear(12, 9).double()
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    plain = torch.nn.functional.layer_norm(x, (12,), eps=norm.eps)
    weight, bias = after_norm(linear, norm)
    torch.testing.assert_close(plain @ weight.T + bias, linear(norm(x)))
    scale = torch.randn(9)
    torch.testing.assert_close(
        before_scale(linear, scale).double()(x), linear(x) * scale, rtol=1e-5, atol=1e-6
    )
    maps, projection = torch.randn(1, 4, 5, 7).double(), torch.nn.Conv2d(4, 6, 1).double()
    torch.testing.assert_close(
        enlarge(projection(maps), (11, 13)), projection(enlarge(maps, (11, 13)))
    )


def test_a_padded_embedding_is_refused(checkpoint: Path) -> None:
    """With padding the border would see normalised zeros: the fold would not be exact."""
    model = load(checkpoint)
    model.backbone.embeddings.patch_embeddings.projection.padding = (1, 1)
    with pytest.raises(ModelError, match="no padding"):
        fold(model, IMAGENET_MEAN, IMAGENET_STD)


def test_another_architecture_is_refused(checkpoint: Path) -> None:
    model = load(checkpoint)
    model.backbone = torch.nn.Identity()
    with pytest.raises(ModelError, match="not built like Depth Anything V2"):
        fold(model, IMAGENET_MEAN, IMAGENET_STD)
    model = load(checkpoint)
    model.backbone.config.use_swiglu_ffn = True
    with pytest.raises(ModelError, match="not a DINOv2 of the Small, Base or Large kind"):
        fold(model, IMAGENET_MEAN, IMAGENET_STD)
    model = load(checkpoint)
    model.backbone.config.apply_layernorm = False
    with pytest.raises(ModelError, match="in another form"):
        fold(model, IMAGENET_MEAN, IMAGENET_STD)
