"""What fine-tuning minimises: relative or metric height where it is known, or self-consistency.

The scale-and-shift-invariant loss and the matching of gradients over scales are those of R. Ranftl
et al., "Towards robust monocular depth estimation" (MiDaS), TPAMI 2022, equations 5 to 11; SiLog is
that of D. Eigen et al., "Depth map prediction from a single image", NeurIPS 2014.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from linescan.training.losses import GRADIENT_SCALES

GRADIENT_WEIGHT = 1.0
SILOG_LAMBDA = 0.5
TRIMMED = 0.2
"""Share of the largest residuals that the relative loss leaves out: truth has outliers."""


def relative_loss(predicted: Tensor, truth: Tensor, floors: tuple[float, float]) -> Tensor:
    """The loss that knows neither scale nor shift: both are taken off each crop.

    A crop's scale is the mean absolute deviation from its median, plus a floor: a flat crop must
    not be blown up to the size of the others.

    Args:
        predicted: (n, h, w).
        truth: (n, h, w), NaN where unknown; larger is what the model's output says is larger.
        floors: added to the scales of prediction and truth.
    """
    known = torch.isfinite(truth)
    losses = []
    for one, true, mask in zip(predicted, truth, known, strict=True):
        if int(mask.sum()) < 2:
            continue
        difference = _centred(one, mask, floors[0]) - _centred(true, mask, floors[1])
        residual = difference[mask].abs().sort().values
        kept = residual[: max(1, int(len(residual) * (1 - TRIMMED)))]
        losses.append(kept.mean() + GRADIENT_WEIGHT * gradient_loss(difference, mask))
    return torch.stack(losses).mean() if losses else predicted.sum() * 0


def metric_loss(predicted: Tensor, truth: Tensor, spread: float) -> Tensor:
    """L1 and gradient loss in units of ``spread``.

    Args:
        predicted: (n, h, w), in the truth's unit.
        truth: (n, h, w), NaN where unknown.
        spread: deviation of the truth.
    """
    known = torch.isfinite(truth)
    if not known.any():
        return predicted.sum() * 0
    difference = (predicted - torch.nan_to_num(truth)) / spread
    gradient = torch.stack(
        [gradient_loss(d, mask) for d, mask in zip(difference, known, strict=True)]
    ).mean()
    return difference[known].abs().mean() + GRADIENT_WEIGHT * gradient


def silog_loss(predicted: Tensor, truth: Tensor) -> Tensor:
    """The scale-invariant logarithmic loss: the error's share of the distance counts.

    Args:
        predicted: (n, h, w), positive.
        truth: (n, h, w), positive; NaN where unknown.
    """
    known = torch.isfinite(truth)
    if not known.any():
        return predicted.sum() * 0
    ratio = torch.log(predicted[known].clamp(min=1e-3)) - torch.log(truth[known])
    return torch.sqrt(((ratio**2).mean() - SILOG_LAMBDA * ratio.mean() ** 2).clamp(min=1e-12))


def consistency_loss(
    one: Tensor, other: Tensor, anchor: Tensor, flat: Tensor, spread: float, hold: float
) -> Tensor:
    """Without truth: the same under another light, a plane where it is flat, and near the start.

    Agreement alone is best for a model that calls everything flat: the distance to what the
    starting model sees in the image as it is keeps it from that.

    Args:
        one: (n, h, w), output under one light.
        other: the same under another.
        anchor: the starting model's output on the image as it is.
        flat: (n, h, w) bool: known to be a plane; there the anchor does not hold.
        spread: deviation of the starting model's output.
        hold: weight of the anchor.
    """
    agreement = ((one - other) / spread).abs().mean()
    away = torch.where(flat, 0.0, (one - anchor) / spread).abs().mean()
    bent = torch.stack([plane_residual(o, mask) for o, mask in zip(one, flat, strict=True)])
    return agreement + hold * away + bent.mean() / spread


def plane_residual(values: Tensor, mask: Tensor) -> Tensor:
    """Mean absolute residual of a plane of least squares through the masked part; 0 of nothing.

    Args:
        values: (h, w).
        mask: (h, w) bool.
    """
    lines, columns = torch.nonzero(mask, as_tuple=True)
    if len(lines) < 16:
        return values.sum() * 0
    places = torch.stack((lines, columns), dim=1).float()
    places = (places - places.mean(dim=0)) / places.std(dim=0).clamp(min=1.0)
    design = torch.cat((places, torch.ones(len(places), 1)), dim=1)
    seen = values[mask]
    fitted = design @ torch.linalg.solve(design.T @ design + 1e-3 * torch.eye(3), design.T @ seen)
    return (seen - fitted).abs().mean()


def gradient_loss(difference: Tensor, mask: Tensor) -> Tensor:
    """Mean absolute gradient of a difference over scales, between known pixels.

    Args:
        difference: (h, w); anything where not known.
        mask: (h, w) bool.
    """
    weight = mask.float()[None, None]
    values = torch.where(mask, difference, 0.0)[None, None]
    total = difference.new_zeros(())
    for scale in GRADIENT_SCALES:
        if min(mask.shape) < 2 * scale:
            break
        share = functional.avg_pool2d(weight, scale)
        level = functional.avg_pool2d(values, scale) / share.clamp(min=1e-6)
        known = share > 0.5 if scale > 1 else share > 0
        for dim in (-1, -2):
            both = known.narrow(dim, 1, known.shape[dim] - 1) & known.narrow(
                dim, 0, known.shape[dim] - 1
            )
            if both.any():
                total = total + level.diff(dim=dim)[both].abs().mean()
    return total / len(GRADIENT_SCALES)


def _centred(values: Tensor, mask: Tensor, floor: float) -> Tensor:
    seen = values[mask]
    middle = seen.median()
    scale = (seen - middle).abs().mean() + floor
    return torch.where(mask, (torch.nan_to_num(values) - middle) / scale, 0.0)
