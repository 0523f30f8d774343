"""The model as it is exported: gray uint8 in, duplication and normalisation folded in."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from linescan.errors import ModelError


class GrayDepth(nn.Module):
    """A Depth Anything model with one gray channel, as the exporter should see it.

    The forward pass is that of ``DepthAnythingForDepthEstimation``, except that the head takes the
    output's size from the input: the original turns it into a Python int, which freezes the size
    of the example into the exported file, silently.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, gray: Tensor) -> Tensor:
        """(1, 1, h, w) uint8 to (1, h, w) float32; h and w are multiples of the patch size."""
        rows, columns = gray.shape[2:]
        patch = self.model.config.patch_size
        pixels = gray.to(torch.float32)
        features = self.model.backbone.forward_with_filtered_kwargs(pixels).feature_maps
        features = self.model.neck(features, rows // patch, columns // patch)
        head = self.model.head
        depth = head.conv1(features[head.head_in_index])
        depth = functional.interpolate(depth, (rows, columns), mode="bilinear", align_corners=True)
        depth = head.conv3(head.activation1(head.conv2(depth)))
        return (head.activation2(depth) * head.max_depth).squeeze(1)


def fold(model: Any, mean: tuple[float, ...], std: tuple[float, ...]) -> GrayDepth:
    """Fold channel duplication and normalisation into the patch embedding, in place.

    With x the gray value, the original computes Σc Wc·(x/255 - μc)/σc + b. The convolution has no
    padding, so this equals W1·x + b1 exactly, with W1 = Σc Wc/(255·σc) and b1 = b - Σc Wc·μc/σc
    summed over the kernel. The sums are made in float64.

    Raises:
        ModelError: the backbone's first layer is not such a convolution.
    """
    try:
        embedding = model.backbone.embeddings.patch_embeddings
        old = embedding.projection
        right = old.in_channels == len(mean) and old.bias is not None and old.padding == (0, 0)
    except AttributeError as error:
        raise ModelError(f"the backbone has no patch embedding to fold into ({error})") from error
    if not right:
        raise ModelError(
            f"the patch embedding takes {old.in_channels} channels with padding {old.padding}: "
            f"expected {len(mean)} and no padding"
        )
    weight = old.weight.detach().double()
    mu = torch.tensor(mean, dtype=torch.float64).view(1, -1, 1, 1)
    sigma = torch.tensor(std, dtype=torch.float64).view(1, -1, 1, 1)
    new = nn.Conv2d(1, old.out_channels, old.kernel_size, old.stride)
    new.weight = nn.Parameter((weight / (255.0 * sigma)).sum(1, keepdim=True).float())
    bias = old.bias.detach().double() - (weight * mu / sigma).sum((1, 2, 3))
    new.bias = nn.Parameter(bias.float())
    embedding.projection = new
    embedding.num_channels = 1
    return GrayDepth(model).eval()
