"""LoRA: a linear layer's change is learned as a product of two thin matrices.

E. Hu et al., "LoRA: Low-rank adaptation of large language models", ICLR 2022. A few images cannot
pull a large encoder far away through so few weights, and what was learned is added to the layers
in the end: the exported model has no extra cost.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class LowRank(nn.Module):
    """A linear layer, frozen, plus ``scale * up @ down``; ``up`` starts at zero."""

    def __init__(self, base: nn.Linear, rank: int) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.down = nn.Parameter(torch.empty(rank, base.in_features))
        self.up = nn.Parameter(torch.zeros(base.out_features, rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, values: Tensor) -> Tensor:
        """(..., in) to (..., out)."""
        out: Tensor = self.base(values) + (values @ self.down.T) @ self.up.T
        return out

    def merged(self) -> nn.Linear:
        """The plain layer that computes the same."""
        with torch.no_grad():
            self.base.weight += self.up @ self.down
        return self.base.requires_grad_(True)


def add_lora(module: nn.Module, rank: int) -> list[nn.Parameter]:
    """Freeze a module and put a low-rank change beside each of its linear layers.

    Returns:
        What is left to train.
    """
    module.requires_grad_(False)
    added: list[nn.Parameter] = []
    for name, parent, layer in _linear_layers(module):
        low = LowRank(layer, min(rank, layer.in_features, layer.out_features))
        setattr(parent, name, low)
        added += [low.down, low.up]
    return added


def merge_lora(module: nn.Module) -> None:
    """Add the low-rank changes to their layers, in place."""
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, LowRank):
                setattr(parent, name, child.merged())


def _linear_layers(module: nn.Module) -> list[tuple[str, nn.Module, nn.Linear]]:
    return [
        (name, parent, child)
        for parent in list(module.modules())
        for name, child in parent.named_children()
        if isinstance(child, nn.Linear)
    ]
