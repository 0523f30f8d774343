from __future__ import annotations

import numpy as np
import pytest
import torch

from linescan.training.lighting import relight
from linescan.training.lora import add_lora, merge_lora
from linescan.training.objectives import (
    consistency_loss,
    gradient_loss,
    metric_loss,
    plane_residual,
    relative_loss,
    silog_loss,
)

NO_FLOOR = (0.0, 0.0)


def relief() -> torch.Tensor:
    torch.manual_seed(2)
    return torch.randn(2, 24, 24).cumsum(1).cumsum(2)


def test_relative_loss_knows_neither_scale_nor_shift_but_the_sign() -> None:
    truth = relief()
    assert relative_loss(3 * truth + 7, truth, NO_FLOOR) < 1e-5
    assert relative_loss(-truth, truth, NO_FLOOR) > 1
    assert relative_loss(truth.flip(1), truth, NO_FLOOR) > 0.5


def test_unknown_truth_counts_nothing_whatever_is_predicted_there() -> None:
    truth = relief()
    predicted = truth + 0.1 * torch.randn_like(truth)
    truth[:, :, 12:] = torch.nan
    losses = []
    for there in (0.0, 50.0):
        predicted[:, :, 12:] = there
        relative = float(relative_loss(predicted, truth, NO_FLOOR))
        losses.append([relative, float(metric_loss(predicted, truth, 1.0))])
    assert losses[0] == pytest.approx(losses[1])
    assert float(relative_loss(predicted, torch.full_like(truth, torch.nan), NO_FLOOR)) == 0


def test_one_pixel_of_outliers_in_ten_hardly_counts() -> None:
    truth = relief()
    wrong = truth.clone()
    wrong[:, ::10, :] += 1000
    rough = torch.randn_like(truth) * truth.std()
    assert relative_loss(truth, wrong, NO_FLOOR) < relative_loss(rough, truth, NO_FLOOR) * 3


def test_metric_loss_is_in_units_of_the_spread() -> None:
    truth = relief()
    assert float(metric_loss(truth + 2, truth, 4.0)) == pytest.approx(0.5)
    assert float(metric_loss(truth, truth, 4.0)) == 0


def test_silog_forgives_half_of_a_common_factor() -> None:
    truth = relief().abs() + 1
    assert float(silog_loss(truth, truth)) < 1e-5
    factor = float(silog_loss(2 * truth, truth))
    assert factor == pytest.approx(np.log(2) * np.sqrt(0.5), rel=1e-3)


def test_gradient_loss_sees_slopes_between_known_pixels_alone() -> None:
    ramp = torch.arange(64.0).repeat(64, 1)
    known = torch.ones(64, 64, dtype=torch.bool)
    assert float(gradient_loss(ramp, known)) == pytest.approx((1 + 2 + 4 + 8 + 16) / 5)
    assert float(gradient_loss(ramp + 5, known)) == float(gradient_loss(ramp, known))
    every_other = known.clone()
    every_other[:, ::2] = every_other[::2] = False
    sparse = float(gradient_loss(torch.where(every_other, ramp, 99.0), every_other))
    assert sparse < float(gradient_loss(torch.where(every_other, ramp, 99.0), known))


def test_a_plane_is_flat_and_a_bump_is_not() -> None:
    lines, columns = torch.meshgrid(torch.arange(20.0), torch.arange(30.0), indexing="ij")
    plane = 3 * lines - 2 * columns + 5
    everywhere = torch.ones(20, 30, dtype=torch.bool)
    assert float(plane_residual(plane, everywhere)) < 1e-2
    bump = plane + 10 * ((lines - 10) ** 2 + (columns - 15) ** 2 < 16)
    assert float(plane_residual(bump, everywhere)) > 0.5
    assert float(plane_residual(bump, ~everywhere)) == 0


def test_a_constant_agrees_with_itself_but_the_anchor_forbids_it() -> None:
    anchor = relief()
    nowhere = torch.zeros(anchor.shape, dtype=torch.bool)
    constant = torch.zeros_like(anchor)
    spread = float(anchor.std())

    def loss(output: torch.Tensor, hold: float) -> float:
        return float(consistency_loss(output, output, anchor, nowhere, spread, hold))

    assert loss(constant, 0.0) == loss(anchor, 0.5) == 0
    assert loss(constant, 0.5) > 0.2
    assert float(consistency_loss(constant, constant, anchor, ~nowhere, spread, 0.5)) == 0


def test_low_rank_changes_start_as_nothing_and_merge_into_the_layers() -> None:
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.GELU(), torch.nn.Linear(8, 3))
    values = torch.randn(5, 6)
    before = net(values)
    names = set(net.state_dict())
    added = add_lora(net, 2)
    torch.testing.assert_close(net(values), before)
    assert {p for p in net.parameters() if p.requires_grad} == set(added)
    assert sum(p.numel() for p in added) == 2 * (6 + 8 + 8 + 3)
    for parameter in added:
        torch.nn.init.normal_(parameter)
    changed = net(values)
    assert (changed - before).abs().max() > 0.1
    merge_lora(net)
    assert set(net.state_dict()) == names
    torch.testing.assert_close(net(values), changed)


def test_light_changes_pixels_by_the_given_amount_and_the_same_way_again() -> None:
    image = torch.full((2, 1, 40, 50), 120, dtype=torch.uint8)
    lit = relight(image, np.random.default_rng(1))
    assert lit.shape == image.shape
    assert lit.dtype == torch.uint8
    assert torch.equal(lit, relight(image, np.random.default_rng(1)))
    assert not torch.equal(lit[0], lit[1])
    off = (lit.float() - 120).abs()
    assert 2 < float(off.mean()) < 90
