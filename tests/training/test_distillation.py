"""Learning from a teacher, with a checkpoint of the real format."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import Dinov2Config, Dinov2Model

from linescan.training.distillation import Teacher, invariant_loss
from linescan.training.loop import Trainer, TrainingPlan
from tests.depth.checkpoints import save_checkpoint


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder")
    torch.manual_seed(3)
    config = Dinov2Config(
        hidden_size=48, num_hidden_layers=4, num_attention_heads=2, image_size=56, patch_size=14
    )
    Dinov2Model(config).save_pretrained(folder)
    return folder


def test_the_loss_is_blind_to_scale_and_shift_but_not_to_sign() -> None:
    torch.manual_seed(1)
    maps = torch.randn(2, 20, 30)
    assert invariant_loss(3 * maps + 7, maps) == pytest.approx(0.0, abs=1e-5)
    assert invariant_loss(-maps, maps) > 1.5
    assert 0.5 < invariant_loss(torch.randn(2, 20, 30), maps) < 2.0


def test_a_flat_map_blows_nothing_up() -> None:
    flat = torch.zeros(1, 8, 8, requires_grad=True)
    loss = invariant_loss(flat, torch.randn(1, 8, 8))
    loss.backward()
    assert flat.grad is not None
    assert torch.isfinite(flat.grad).all()


def test_a_teacher_is_asked_and_never_taught(tmp_path: Path, encoder: Path) -> None:
    folder = save_checkpoint(tmp_path / "small")
    plan = TrainingPlan(
        encoder, teacher=folder, steps=2, batch=2, size=70, layers=4, workers=0, validation_frames=1
    )
    trainer = Trainer(plan, tmp_path / "run")
    asked = trainer._teacher
    assert asked is not None
    before = {k: v.clone() for k, v in asked._model.state_dict().items()}
    trainer.run()
    assert trainer.finished
    for name, value in asked._model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert asked.disparity(torch.zeros(2, 1, 70, 84, dtype=torch.uint8), False).shape == (2, 70, 84)


def test_the_teacher_changes_what_is_learned(tmp_path: Path, encoder: Path) -> None:
    folder = save_checkpoint(tmp_path / "small")
    torch.manual_seed(5)
    images = torch.randint(0, 255, (2, 1, 70, 70), dtype=torch.uint8)
    heights = torch.randn(2, 70, 70)
    losses = []
    for number, teacher in enumerate((None, folder)):
        plan = TrainingPlan(encoder, teacher=teacher, teacher_weight=2.0, layers=4, size=70)
        trainer = Trainer(plan, tmp_path / f"run{number}")
        losses.append(float(trainer._loss(images, heights).detach()))
    assert losses[1] > losses[0] + 0.5


def test_unfit_teachers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no teacher"):
        Teacher(tmp_path)
    metric = save_checkpoint(tmp_path / "metric", depth_estimation_type="metric", max_depth=20)
    with pytest.raises(ValueError, match="metric"):
        Teacher(metric)
