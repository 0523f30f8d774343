"""The published architectures with random weights: the same work for a machine, no download."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linescan.depth.export.checkpoint import quiet
from linescan.depth.export.description import CARD, IMAGENET_MEAN, IMAGENET_STD
from linescan.depth.export.needs import require
from linescan.depth.models import PATCH
from linescan.depth.probe import probe_image
from linescan.errors import ModelError

SIDE = 518
"""Of the images that the published models were trained on."""
PROBE = (13 * PATCH, 13 * PATCH)
"""Size of the image by which the output is scaled."""
LEVEL = 8.0
"""Mean of the output in its standard deviations: the last ReLU cuts nothing."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """Sizes of a published model; ``stages`` are the layers that the head reads."""

    width: int
    heads: int
    layers: int
    stages: tuple[int, int, int, int]
    neck: tuple[int, int, int, int]
    fusion: int


ARCHITECTURES: Mapping[str, Architecture] = {
    "small": Architecture(384, 6, 12, (3, 6, 9, 12), (48, 96, 192, 384), 64),
    "base": Architecture(768, 12, 12, (3, 6, 9, 12), (96, 192, 384, 768), 128),
    "large": Architecture(1024, 16, 24, (5, 12, 18, 24), (256, 512, 1024, 1024), 256),
}


def random_checkpoint(name: str, folder: str | Path, seed: int = 0) -> Path:
    """Write a checkpoint of a published architecture with random weights.

    It costs a machine what the published model costs, and its output has a spread, so that an
    export of it can be compared with the original. How far reduced precision deviates cannot be
    judged by it: that takes trained weights.

    Args:
        name: ``small``, ``base`` or ``large``.
        folder: made where it does not exist.
        seed: of the weights; the same seed gives the same weights.

    Returns:
        The folder, a checkpoint in the Hugging Face format.

    Raises:
        ModelError: no such architecture, a package is missing, or the folder cannot be written.
    """
    if name not in ARCHITECTURES:
        raise ModelError(f"'{name}': there are random weights for {', '.join(ARCHITECTURES)} only")
    require()
    folder = Path(folder)
    try:
        with quiet():
            _build(ARCHITECTURES[name], seed).save_pretrained(folder)
        _describe(name, folder)
    except OSError as error:
        raise ModelError(f"{folder}: cannot write the checkpoint: {error}") from error
    return folder


def configuration(sizes: Architecture) -> Any:
    """The ``DepthAnythingConfig`` of an architecture."""
    from transformers import DepthAnythingConfig, Dinov2Config

    backbone = Dinov2Config(
        hidden_size=sizes.width,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads,
        image_size=SIDE,
        patch_size=PATCH,
        out_features=[f"stage{stage}" for stage in sizes.stages],
        apply_layernorm=True,
        reshape_hidden_states=False,
    )
    return DepthAnythingConfig(
        backbone_config=backbone,
        patch_size=PATCH,
        reassemble_hidden_size=sizes.width,
        neck_hidden_sizes=list(sizes.neck),
        fusion_hidden_size=sizes.fusion,
        head_hidden_size=32,
    )


def _build(sizes: Architecture, seed: int) -> Any:
    import torch
    from transformers import DepthAnythingForDepthEstimation

    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        model = DepthAnythingForDepthEstimation(configuration(sizes)).eval()
        _spread(model)
    return model


def _spread(model: Any) -> None:
    """Give all that is constant at first a random value, and the output a mean and a deviation.

    The published initialisation leaves an output near zero that the last ReLU cuts.
    """
    from torch import nn

    for module in model.backbone.modules():
        if isinstance(module, nn.LayerNorm):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0.0, 0.1)
        elif hasattr(module, "lambda1"):
            nn.init.uniform_(module.lambda1, 0.1, 1.0)
    for part in (model.neck, model.head, model.backbone.embeddings.patch_embeddings):
        for weight in part.parameters():
            if weight.dim() > 1:
                nn.init.kaiming_normal_(weight, nonlinearity="relu")
    last = model.head.conv3
    nn.init.constant_(last.bias, 0.0)
    values = _before_the_last_relu(model)
    last.weight.div_(values.std())
    last.bias.fill_(LEVEL - float(values.mean() / values.std()))


def _before_the_last_relu(model: Any) -> Any:
    import torch

    gray = torch.from_numpy(probe_image(*PROBE))[None, None].expand(1, 3, -1, -1) / 255.0
    mean = torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
    std = torch.tensor(IMAGENET_STD).view(1, 3, 1, 1)
    kept: list[Any] = []
    hook = model.head.conv3.register_forward_hook(lambda *call: kept.append(call[2]))
    model(pixel_values=(gray - mean) / std)
    hook.remove()
    return kept[0]


def _describe(name: str, folder: Path) -> None:
    card = {"name": f"random-{name}", "convention": "disparity", "licence": "none"}
    (folder / CARD).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    processor = {
        "image_processor_type": "DPTImageProcessor",
        "do_resize": True,
        "size": {"height": SIDE, "width": SIDE},
        "keep_aspect_ratio": True,
        "ensure_multiple_of": PATCH,
        "resample": 3,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(IMAGENET_MEAN),
        "image_std": list(IMAGENET_STD),
        "do_pad": False,
    }
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps(processor, indent=2) + "\n", encoding="utf-8")
