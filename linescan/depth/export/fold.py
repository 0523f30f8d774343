"""From the Hugging Face model to the network that is exported: every rewrite is exact.

Sums and products of weights are made in float64 and rounded once. The model that is given stays as
it is.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from linescan.depth.export.network import Attention, Block, Encoder, Head, Network, resize_positions
from linescan.errors import ModelError


def fold(
    model: Any,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    *,
    channels: int = 1,
    size: tuple[int, int] | None = None,
    fused: bool = False,
) -> Network:
    """The network of a ``DepthAnythingForDepthEstimation``.

    Args:
        model: the model, in fp32.
        mean: of each channel, after a division by 255.
        std: likewise.
        channels: 1 for gray images, 3 for RGB.
        size: rows and columns it will run at; None leaves them free.
        fused: attention as one operator.

    Raises:
        ModelError: the model is not a DINOv2 encoder with a DPT head, or not one of this kind.
    """
    model = copy.deepcopy(model).eval()
    try:
        config = model.backbone.config
        _check(model, config)
        encoder = _encoder(model, config, mean, std, channels, size, fused)
        head = Head(model, config.patch_size)
    except AttributeError as error:
        raise ModelError(f"the model is not built like Depth Anything V2 ({error})") from error
    return Network(encoder, head).eval()


def fold_normalisation(
    old: nn.Conv2d, mean: tuple[float, ...], std: tuple[float, ...], channels: int
) -> nn.Conv2d:
    """The patch embedding with normalisation, and for gray the duplication, folded in.

    With x the value of a channel, the original computes Σc Wc·(x/255 - μc)/σc + b. The convolution
    has no padding, so this equals Σc W'c·x + b' exactly, with W'c = Wc/(255·σc) and
    b' = b - Σc Wc·μc/σc summed over the kernel. For gray the W'c are added up.

    Raises:
        ModelError: it is not such a convolution.
    """
    if old.in_channels != len(mean) or old.bias is None or old.padding != (0, 0):
        raise ModelError(
            f"the patch embedding takes {old.in_channels} channels with padding {old.padding}: "
            f"expected {len(mean)} and no padding"
        )
    weight = old.weight.detach().double()
    mu = torch.tensor(mean, dtype=torch.float64).view(1, -1, 1, 1)
    sigma = torch.tensor(std, dtype=torch.float64).view(1, -1, 1, 1)
    scaled = weight / (255.0 * sigma)
    rows, columns = old.kernel_size
    new = nn.Conv2d(channels, old.out_channels, (rows, columns), (old.stride[0], old.stride[1]))
    new.weight = _parameter(scaled if channels == len(mean) else scaled.sum(1, keepdim=True))
    new.bias = _parameter(old.bias.detach().double() - (weight * mu / sigma).sum((1, 2, 3)))
    return new


def after_norm(layer: Any, norm: nn.LayerNorm) -> tuple[Tensor, Tensor]:
    """Weight and bias, float64, of a linear layer or 1x1 convolution that reads ``norm``'s output.

    W(γ·x + β) + b = (W·γ)x + (Wβ + b).
    """
    weight, bias = layer.weight.detach().double(), layer.bias
    gamma, beta = norm.weight.detach().double(), norm.bias.detach().double()
    flat = weight.flatten(1)
    old = torch.zeros(len(flat), dtype=torch.float64) if bias is None else bias.detach().double()
    return (flat * gamma).view_as(weight), flat @ beta + old


def before_scale(layer: nn.Linear, scale: Tensor) -> nn.Linear:
    """The linear layer whose output is multiplied by ``scale``, channel by channel."""
    factor = scale.detach().double()
    weight = layer.weight.detach().double() * factor[:, None]
    return _linear(weight, layer.bias.detach().double() * factor)


def _check(model: Any, config: Any) -> None:
    if config.model_type != "dinov2" or config.use_swiglu_ffn:
        raise ModelError("the encoder is not a DINOv2 of the Small, Base or Large kind")
    if not config.apply_layernorm or config.reshape_hidden_states:
        raise ModelError("the encoder gives its features in another form than Depth Anything V2's")
    if len(config.out_indices) != len(model.neck.convs) or model.head.head_in_index != -1:
        raise ModelError("the head takes its features from elsewhere than Depth Anything V2's")


def _encoder(
    model: Any,
    config: Any,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    channels: int,
    size: tuple[int, int] | None,
    fused: bool,
) -> Encoder:
    backbone = model.backbone
    embeddings = backbone.embeddings
    positions = embeddings.position_embeddings.detach()
    side = round((positions.shape[1] - 1) ** 0.5)
    grid = positions[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2).contiguous()
    if size is not None:
        rows, columns = (n // config.patch_size for n in size)
        if (rows, columns) != (side, side):
            grid = resize_positions(grid, (rows, columns))
    stages = sorted(config.out_indices)
    for layer in model.neck.reassemble_stage.layers:
        weight, bias = after_norm(layer.projection, backbone.layernorm)
        layer.projection.weight, layer.projection.bias = _parameter(weight), _parameter(bias)
    norm = nn.LayerNorm((config.hidden_size,), backbone.layernorm.eps, elementwise_affine=False)
    return Encoder(
        fold_normalisation(embeddings.patch_embeddings.projection, mean, std, channels),
        embeddings.cls_token.detach() + positions[:, :1],
        grid,
        [_block(layer, config, fused) for layer in backbone.encoder.layer[: max(stages)]],
        stages,
        norm,
        fixed=size is not None,
    )


def _block(layer: Any, config: Any, fused: bool) -> Block:
    attention = layer.attention
    query, query_bias = after_norm(attention.q_proj, layer.norm1)
    key, key_bias = after_norm(attention.k_proj, layer.norm1)
    value, value_bias = after_norm(attention.v_proj, layer.norm1)
    scale = float(attention.scaling)
    qkv = _linear(
        torch.cat((query * scale, key, value)),
        torch.cat((query_bias * scale, key_bias, value_bias)),
    )
    out = before_scale(attention.o_proj, layer.layer_scale1.lambda1)
    return Block(
        Attention(qkv, out, config.num_attention_heads, fused=fused),
        _linear(*after_norm(layer.mlp.fc1, layer.norm2)),
        layer.mlp.activation_fn,
        before_scale(layer.mlp.fc2, layer.layer_scale2.lambda1),
        layer.norm1.eps,
    )


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight, layer.bias = _parameter(weight), _parameter(bias)
    return layer


def _parameter(values: Tensor) -> nn.Parameter:
    return nn.Parameter(values.float(), requires_grad=False)
