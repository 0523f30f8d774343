"""Depth Anything V2 as it is exported: the same function, in fewer and cheaper steps.

Encoder: DINOv2, M. Oquab et al., TMLR 2024 (arXiv 2304.07193). Neck and head: DPT, R. Ranftl et
al., ICCV 2021 (arXiv 2103.13413), as in Depth Anything V2, L. Yang et al., NeurIPS 2024 (arXiv
2406.09414). The weights are copied from the Hugging Face model by ``linescan.depth.export.fold``.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class Attention(nn.Module):
    """Multi-head self-attention whose queries come already divided by the root of their length."""

    def __init__(self, qkv: nn.Linear, out: nn.Linear, heads: int, *, fused: bool) -> None:
        super().__init__()
        self.qkv = qkv
        self.out = out
        self.heads = heads
        self.fused = fused

    def forward(self, tokens: Tensor) -> Tensor:
        """(1, tokens, width) to the same."""
        parts = self.qkv(tokens).chunk(3, dim=-1)
        query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        if self.fused:
            mixed = functional.scaled_dot_product_attention(query, key, value, scale=1.0)
        else:
            mixed = torch.softmax(query @ key.transpose(2, 3), dim=-1) @ value
        return self.out(mixed.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """A layer of the encoder; its norms have no weights and its residuals no scale: all folded."""

    def __init__(
        self,
        attention: Attention,
        expand: nn.Linear,
        activation: nn.Module,
        reduce: nn.Linear,
        eps: float,
    ) -> None:
        super().__init__()
        self.attention = attention
        self.expand = expand
        self.activation = activation
        self.reduce = reduce
        width = (expand.in_features,)
        self.norm1 = nn.LayerNorm(width, eps, elementwise_affine=False)
        self.norm2 = nn.LayerNorm(width, eps, elementwise_affine=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """(1, tokens, width) to the same."""
        tokens = tokens + self.attention(self.norm1(tokens))
        return tokens + self.reduce(self.activation(self.expand(self.norm2(tokens))))


class Encoder(nn.Module):
    """Image to feature maps of four depths.

    Attributes:
        patches: the patch embedding, normalisation included.
        first: the class token with its position, (1, 1, width).
        grid: positions of the patches, (1, width, rows, columns) of the trained grid, or of the
            exported one where ``fixed``.
    """

    first: Tensor
    grid: Tensor

    def __init__(
        self,
        patches: nn.Conv2d,
        first: Tensor,
        grid: Tensor,
        blocks: list[Block],
        stages: list[int],
        norm: nn.Module,
        *,
        fixed: bool,
    ) -> None:
        super().__init__()
        self.patches = patches
        self.register_buffer("first", first)
        self.register_buffer("grid", grid)
        self.blocks = nn.ModuleList(blocks)
        self.stages = stages
        self.norm = norm
        self.fixed = fixed

    def forward(self, image: Tensor) -> list[Tensor]:
        """(1, channels, h, w) uint8 or float to maps (1, width, h / patch, w / patch) float32."""
        maps = self.patches(image.to(torch.float32))
        rows, columns = maps.shape[2:]
        maps = maps + (self.grid if self.fixed else resize_positions(self.grid, (rows, columns)))
        tokens = torch.cat((self.first, maps.flatten(2).transpose(1, 2)), dim=1)
        found = []
        for depth in range(len(self.blocks) + 1):
            if depth:
                tokens = self.blocks[depth - 1](tokens)
            if depth in self.stages:
                feature = self.norm(tokens[:, 1:])
                found.append(feature.transpose(1, 2).unflatten(2, (rows, columns)))
        return found


def resize_positions(grid: Tensor, size: tuple[int, int]) -> Tensor:
    """Position embedding (1, width, rows, columns) for another grid, as Hugging Face does it."""
    return functional.interpolate(grid, size, mode="bicubic", align_corners=False)


class Fusion(nn.Module):
    """Fuses a feature map into what came from the deeper ones, and enlarges the sum."""

    def __init__(self, layer: Any, *, deepest: bool) -> None:
        super().__init__()
        self.incoming: Any = None if deepest else layer.residual_layer1
        self.fused: Any = layer.residual_layer2
        self.projection: nn.Conv2d = layer.projection

    def forward(self, feature: Tensor, deeper: Tensor | None, size: tuple[int, int]) -> Tensor:
        """Both (1, c, h, w) to (1, c, *size).

        The projection comes before the interpolation, where there are fewer pixels: both are
        linear, one acts on channels alone and the other on places alone, and interpolation
        weights sum to one, so that the bias stays what it is.
        """
        if self.incoming is not None:
            feature = deeper + self.incoming(feature)
        return enlarge(self.projection(self.fused(feature)), size)


def enlarge(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear, corner pixels kept in place."""
    return functional.interpolate(maps, size, mode="bilinear", align_corners=True)


class Head(nn.Module):
    """Feature maps to depth: the DPT neck and head."""

    def __init__(self, model: Any, patch: int) -> None:
        super().__init__()
        neck, head = model.neck, model.head
        self.reassemble: nn.ModuleList = neck.reassemble_stage.layers
        self.convs: nn.ModuleList = neck.convs
        layers = neck.fusion_stage.layers
        self.fusion = nn.ModuleList(Fusion(layer, deepest=i == 0) for i, layer in enumerate(layers))
        self.conv1, self.conv2, self.conv3 = head.conv1, head.conv2, head.conv3
        self.activation = head.activation2
        self.max_depth = head.max_depth
        self.patch = patch

    def forward(self, *maps: Tensor) -> Tensor:
        """Maps (1, width, rows, columns), shallow ones first, to (1, h, w) float32.

        The output's size comes from the maps: the original turns it into a Python int, which
        freezes the example's size into the exported file, silently.
        """
        rows, columns = maps[0].shape[2:]
        features = [
            conv(layer(each))
            for each, layer, conv in zip(maps, self.reassemble, self.convs, strict=True)
        ]
        depth = None
        for i, fusion in enumerate(self.fusion):
            feature = features[-1 - i]
            following = features[-2 - i].shape[2:] if i + 1 < len(features) else None
            size = following or (2 * feature.shape[2], 2 * feature.shape[3])
            depth = fusion(feature, depth, size)
        depth = enlarge(self.conv1(depth), (rows * self.patch, columns * self.patch))
        depth = self.activation(self.conv3(functional.relu(self.conv2(depth))))
        if self.max_depth != 1:
            depth = depth * self.max_depth
        return depth.squeeze(1)


class Network(nn.Module):
    """The whole model."""

    def __init__(self, encoder: Encoder, head: Head) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head

    def forward(self, image: Tensor) -> Tensor:
        """(1, channels, h, w) uint8 to (1, h, w) float32; h and w are multiples of the patch."""
        return self.head(*self.encoder(image))
