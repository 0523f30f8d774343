"""What a pass of a model costs: tokens, and floating-point operations counted from its weights.

Tokens are the patches of 14 x 14 pixels and the class token. A multiplication and an addition count
as two operations. Counted are the linear layers, the attention products and the convolutions:

- a linear layer with a (K, N) weight does 2·K·N per token;
- attention does 4·tokens²·D per layer: queries by keys and attention by values, 2·tokens²·D each;
- a convolution does 2·(its weights) per output pixel, a transposed one per input pixel.

The resolutions of the head's convolutions are those of the DPT head (R. Ranftl et al., "Vision
Transformers for Dense Prediction", ICCV 2021): four maps of 4, 2, 1 and 1/2 times the patch grid,
fused from the coarsest on, each then enlarged to the next, the last one twofold.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from linescan.depth.card import ENCODER, HEAD, ModelCard
from linescan.depth.models import PATCH
from linescan.depth.tensors import Shape, tensor_shapes
from linescan.errors import ModelError

_LEVEL = re.compile(
    r"(?P<part>reassemble|convs|fusion)\.(?P<level>\d)\.(?P<layer>[a-z0-9_.]*?)\.?weight"
)


@dataclass(frozen=True, slots=True)
class PassCost:
    """One pass of a model.

    Attributes:
        tokens: that the encoder sees.
        gflop: 10⁹ floating-point operations.
    """

    tokens: int
    gflop: float


def tokens(size: tuple[int, int]) -> int:
    """Tokens of a model input of so many rows and columns: patches, and the class token."""
    return (size[0] // PATCH) * (size[1] // PATCH) + 1


def cost(card: ModelCard, size: tuple[int, int]) -> PassCost:
    """What a pass costs at a size of the model's input.

    Raises:
        ModelError: the model's file does not show its layers.
    """
    rows, columns = size[0] // PATCH, size[1] // PATCH
    weights = _weights(card.path, card.sha256)
    parts = {name: shape for name, shape in weights.items() if len(shape) > 1}
    encoder = {n.removeprefix(ENCODER): s for n, s in parts.items() if n.startswith(ENCODER)}
    head = {n.removeprefix(HEAD): s for n, s in parts.items() if n.startswith(HEAD)}
    patches = next((s for n, s in encoder.items() if n.startswith("patches.weight")), None)
    if patches is None or not head:
        raise ModelError(f"{card.path}: its layers have no names that tell their cost")
    operations = 2 * rows * columns * math.prod(patches)
    operations += _layers(encoder, patches[0], rows * columns + 1)
    operations += sum(_convolution(n, s, rows, columns) for n, s in head.items())
    return PassCost(tokens(size), operations / 1e9)


@lru_cache(maxsize=8)
def _weights(path: Path, _sha256: str) -> Mapping[str, Shape]:
    return tensor_shapes(path)


def _layers(encoder: Mapping[str, Shape], width: int, count: int) -> int:
    """Linear layers and attention; each layer has one weight that makes queries, keys, values."""
    matrices = [s for s in encoder.values() if len(s) == 2]
    linear = 2 * count * sum(math.prod(s) for s in matrices)
    layers = sum(s == (width, 3 * width) for s in matrices)
    return linear + layers * 4 * count**2 * width


def _convolution(name: str, shape: Shape, rows: int, columns: int) -> int:
    if len(shape) != 4:
        return 0
    found = _LEVEL.match(name)
    if found is not None:
        grids = _grids(rows, columns)
        level = int(found["level"])
        match found["part"], found["layer"]:
            case "reassemble", "projection":
                pixels = rows * columns
            case "reassemble", _:  # transposed where it enlarges: counted at its input
                pixels = rows * columns if level < 2 else math.prod(grids[3])
            case "convs", _:
                pixels = math.prod(grids[level])
            case _:
                pixels = math.prod(grids[3 - level])
    elif name.startswith("conv1."):
        pixels = (8 * rows) * (8 * columns)
    else:
        pixels = (PATCH * rows) * (PATCH * columns)
    return 2 * pixels * math.prod(shape)


def _grids(rows: int, columns: int) -> tuple[tuple[int, int], ...]:
    """Rows and columns of the four maps, finest first."""
    coarsest = (-(-rows // 2), -(-columns // 2))
    return (4 * rows, 4 * columns), (2 * rows, 2 * columns), (rows, columns), coarsest
