"""Small random checkpoints in the real format, saved by transformers itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

GRID_PX = 70
"""Side of the image that the position embedding was made for."""


def save_checkpoint(folder: Path, *, offset: float = 5.0, **settings: Any) -> Path:
    """Save a random model of 4 layers x 48 channels whose output is a picture, not zeros.

    The published initialisation gives values near zero that the last ReLU cuts; the head's
    weights are scaled so that signals keep their size, and its bias lifts them above zero.
    """
    torch.manual_seed(3)
    backbone = Dinov2Config(
        image_size=GRID_PX,
        patch_size=14,
        hidden_size=48,
        num_attention_heads=3,
        num_hidden_layers=4,
        out_indices=[1, 2, 3, 4],
        apply_layernorm=True,
        reshape_hidden_states=False,
    )
    config = DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=48,
        neck_hidden_sizes=[12, 24, 48, 48],
        fusion_hidden_size=16,
        head_hidden_size=8,
        **settings,
    )
    model = DepthAnythingForDepthEstimation(config)
    for part in (model.neck, model.head, model.backbone.embeddings.patch_embeddings):
        for weight in part.parameters():
            if weight.dim() > 1:
                nn.init.kaiming_normal_(weight, nonlinearity="relu")
    nn.init.constant_(model.head.conv3.bias, offset)
    model.save_pretrained(folder)
    return folder
