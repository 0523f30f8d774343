"""``surface-tiny``: Depth Anything V2's architecture on a shortened DINOv2 encoder.

Depth Anything V2: L. Yang et al., NeurIPS 2024 (arXiv 2406.09414). DINOv2: M. Oquab et al., TMLR
2024 (arXiv 2304.07193). DPT head: R. Ranftl et al., ICCV 2021 (arXiv 2103.13413).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import (
    DepthAnythingConfig,
    DepthAnythingForDepthEstimation,
    Dinov2Config,
    Dinov2Model,
)

HEIGHT_OFFSET = 3.75
"""Model pixels added to the height: the head ends in a ReLU, and dents are negative.

No more than dents need: in bfloat16 the steps just below 4 are 1/64, above 8 they are 1/16.
"""

NOISE_FLOOR = 0.3
"""Model pixels: below it the trained model's output is no relief. Chosen on frames of
``VALIDATION_SEEDS``: lower, print raises more false objects; higher, low relief is lost.
"""

SMALL_LAYERS = 12
"""All layers of ViT-S: a model that keeps them is ``surface-small``."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
_NECK = [48, 96, 192, 384]
_NECK_SHARES = [0.125, 0.25, 0.5, 1.0]


def _stages(layers: int) -> list[str]:
    """Return four stages spread over the layers, the last one included.

    The ends of the four quarters, as the published models have them, where there are such.
    """
    if layers < 4:
        raise ValueError(f"the head takes four stages: at least 4 layers, got {layers}")
    if layers % 4 == 0:
        return [f"stage{layers // 4 * (k + 1)}" for k in range(4)]
    return [f"stage{round(1 + k * (layers - 1) / 3)}" for k in range(4)]


def build_config(encoder: Dinov2Config, layers: int) -> DepthAnythingConfig:
    """Return the configuration of a depth model on the first ``layers`` of an encoder.

    The head is that of Depth Anything V2 Small, in proportion where the encoder is not a ViT-S.
    """
    if layers > encoder.num_hidden_layers:
        raise ValueError(f"the encoder has {encoder.num_hidden_layers} layers, wanted {layers}")
    width = encoder.hidden_size
    backbone = Dinov2Config(
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=encoder.num_attention_heads,
        mlp_ratio=encoder.mlp_ratio,
        image_size=encoder.image_size,
        patch_size=encoder.patch_size,
        layer_norm_eps=encoder.layer_norm_eps,
        out_features=_stages(layers),
        apply_layernorm=True,
        reshape_hidden_states=False,
    )
    return DepthAnythingConfig(
        backbone_config=backbone,
        patch_size=encoder.patch_size,
        reassemble_hidden_size=width,
        neck_hidden_sizes=_NECK if width == 384 else [int(width * s) for s in _NECK_SHARES],
        fusion_hidden_size=max(width // 6, 8),
        head_hidden_size=max(width // 12, 4),
    )


def build_model(encoder: Path, layers: int) -> DepthAnythingForDepthEstimation:
    """Return a model with a pretrained encoder and a fresh head.

    Args:
        encoder: folder of a Hugging Face ``Dinov2Model`` checkpoint.
        layers: how many of its layers to keep.

    Raises:
        FileNotFoundError: if there is no checkpoint in the folder.
        ValueError: if the checkpoint does not fit.
    """
    if not (encoder / "config.json").is_file():
        raise FileNotFoundError(f"no DINOv2 checkpoint (config.json) in {encoder}")
    pretrained = Dinov2Model.from_pretrained(encoder, dtype=torch.float32)
    model = DepthAnythingForDepthEstimation(build_config(pretrained.config, layers))
    set_eager_attention(model)
    report = model.backbone.load_state_dict(pretrained.state_dict(), strict=False)
    if report.missing_keys:
        raise ValueError(f"the encoder in {encoder} lacks {report.missing_keys[:3]}")
    with torch.no_grad():
        model.head.conv3.bias.fill_(HEIGHT_OFFSET)
        # Start from a flat web: the head's random output would be a random relief.
        model.head.conv3.weight.mul_(0.1)
    return model


def set_eager_attention(model: DepthAnythingForDepthEstimation) -> None:
    """Use plain attention, which exports to ONNX without detours and is as fast on a CPU."""
    model.backbone.config._attn_implementation = "eager"  # noqa: SLF001


def parameter_count(model: torch.nn.Module) -> int:
    """Return the number of weights."""
    return sum(p.numel() for p in model.parameters())


def normalise(images: torch.Tensor) -> torch.Tensor:
    """Return (n, 3, h, w) float32 as the encoder was trained on, from (n, 1, h, w) uint8."""
    mean = torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
    std = torch.tensor(IMAGENET_STD).view(1, 3, 1, 1)
    return (images.float() / 255 - mean) / std


def predict_height(
    model: DepthAnythingForDepthEstimation, images: torch.Tensor, *, bfloat16: bool = False
) -> torch.Tensor:
    """Return height in model pixels over the bare web.

    Args:
        model: the model.
        images: (n, 1, h, w) uint8, h and w multiples of the patch size.
        bfloat16: run all but the last layer in bfloat16. The last stays in float32: beside the
            offset, bfloat16 has no digits left for shallow relief.

    Returns:
        (n, h, w) float32.
    """
    patch = model.config.patch_size
    rows, columns = images.shape[-2] // patch, images.shape[-1] // patch
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16):
        maps = model.backbone(normalise(images)).feature_maps
        features = model.neck(maps, rows, columns)[model.config.head_in_index]
        head = model.head
        features = torch.nn.functional.interpolate(
            head.conv1(features),
            (rows * patch, columns * patch),
            mode="bilinear",
            align_corners=True,
        )
        features = head.activation1(head.conv2(features))
    heights = torch.relu(head.conv3(features.float())) - HEIGHT_OFFSET
    return heights.squeeze(1)


def save_model(
    model: DepthAnythingForDepthEstimation, folder: Path, size: int, training: Mapping[str, Any]
) -> None:
    """Write a Hugging Face checkpoint and, beside it, what its output means (``linescan.json``)."""
    model.save_pretrained(folder)
    layers = model.config.backbone_config.num_hidden_layers
    meaning = {
        "name": "surface-tiny" if layers < SMALL_LAYERS else "surface-small",
        "convention": "height",
        # Height in model pixels: mm only once the pitch is known.
        "unit": "relative",
        "scale": 1.0,
        "shift": -HEIGHT_OFFSET,
        "noise_floor": NOISE_FLOOR,
        "input_size": [size, size],
        "licence": "Apache-2.0",
        "training": dict(training),
    }
    (folder / "linescan.json").write_text(json.dumps(meaning, indent=2) + "\n", encoding="utf-8")


def load_model(folder: Path) -> DepthAnythingForDepthEstimation:
    """Return the model of a checkpoint folder, ready to infer."""
    model = DepthAnythingForDepthEstimation.from_pretrained(folder, dtype=torch.float32)
    set_eager_attention(model)
    return model.eval()
