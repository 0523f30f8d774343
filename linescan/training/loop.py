"""Training on the simulated web: the plan and the loop that carries it out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader
from transformers import DepthAnythingForDepthEstimation

from linescan.evaluation.metrics import rmse_over_sigma
from linescan.simulation import VALIDATION_SEEDS
from linescan.training.data import (
    HeightFrame,
    TrainingBatches,
    prepare_worker,
    simulated_frame,
)
from linescan.training.distillation import Teacher, invariant_loss
from linescan.training.from_onnx import model_from_onnx
from linescan.training.losses import height_loss
from linescan.training.model import build_model, load_model, predict_height, save_model
from linescan.training.resumable import ResumableLoop

WARM_UP = 0.05


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What a run does; a checkpoint may only be resumed under the plan that made it.

    Attributes:
        encoder: folder of the pretrained DINOv2 checkpoint; None with ``start``.
        start: model to go on from instead: a name, an .onnx file or a checkpoint folder.
        teacher: folder of a Depth Anything checkpoint to learn from besides; None for none.
        teacher_weight: weight of what the teacher says.
        steps: optimiser steps.
        minutes: if given, the run ends after this time even if steps are left, and the learning
            rate follows whichever is further: how fast a busy machine is need not be known.
        batch: frames in a step.
        size: of the model's input, pixels; a multiple of the encoder's patch.
        layers: encoder layers to keep.
        seed: of the head's weights and of the frames.
        encoder_rate: peak learning rate of the encoder.
        head_rate: peak learning rate of the head.
        bfloat16: train in bfloat16 (all but the last layer and the weights themselves).
        workers: data processes; 0 makes the frames in the trainer's own process.
        checkpoint_every: steps between checkpoints.
        validate_every: steps between validations.
        validation_frames: frames in a validation.
    """

    encoder: Path | None
    start: str | None = None
    teacher: Path | None = None
    teacher_weight: float = 0.1
    steps: int = 1500
    minutes: float | None = None
    batch: int = 8
    size: int = 252
    layers: int = 6
    seed: int = 0
    encoder_rate: float = 5e-5
    head_rate: float = 6e-4
    bfloat16: bool = True
    workers: int = 1
    checkpoint_every: int = 100
    validate_every: int = 100
    validation_frames: int = 32

    def identity(self) -> dict[str, Any]:
        """Return what must be equal for a checkpoint to fit this plan."""
        apart = {"workers", "checkpoint_every", "validate_every", "validation_frames"}
        paths = {"encoder", "start", "teacher"}
        same = {k: v for k, v in asdict(self).items() if k not in apart | paths}
        # Where a folder lies does not matter, what it is for does.
        return same | {k: getattr(self, k) is not None for k in sorted(paths)}


class Trainer(ResumableLoop):
    """One run: a surface model, trained on frames of the simulated web."""

    def __init__(self, plan: TrainingPlan, out: Path) -> None:
        """Build the model, or take up the checkpoint in ``out`` if there is one.

        Raises:
            ValueError: if the checkpoint in ``out`` was made under another plan.
        """
        self.plan = plan
        torch.manual_seed(plan.seed)
        model: Any = start_model(plan)
        # Channels last: a third faster in bfloat16 on a CPU.
        model.to(memory_format=torch.channels_last)
        head = [*model.neck.parameters(), *model.head.parameters()]
        groups = [
            {"params": list(model.backbone.parameters()), "lr": plan.encoder_rate},
            {"params": head, "lr": plan.head_rate},
        ]
        self._teacher = None if plan.teacher is None else Teacher(plan.teacher)
        self._validation: list[HeightFrame] = []
        super().__init__(plan, out, model, groups, WARM_UP)

    @property
    def done(self) -> float:
        """How much of the plan is done, 0 to 1: of its steps or of its time."""
        if self.plan.minutes is None:
            return super().done
        return min(max(super().done, self.progress.seconds / (60 * self.plan.minutes)), 1.0)

    def validate(self) -> float:
        """Return the mean aligned RMSE over sigma on frames of ``VALIDATION_SEEDS``."""
        self.model.eval()
        ratios = []
        for frame in self._validation_frames():
            with torch.no_grad():
                image = torch.from_numpy(frame.image)[None, None]
                predicted = predict_height(self.model, image, bfloat16=self.plan.bfloat16)
            ratios.append(rmse_over_sigma(predicted[0].numpy(), frame.height))
        self.model.train()
        return float(np.mean(ratios))

    def save_final(self, folder: Path, command: str) -> None:
        """Write the trained model as a Hugging Face checkpoint with ``linescan.json``."""
        training = {
            "command": command,
            "plan": self.plan.identity(),
            "steps_done": self.progress.step,
            "seconds": round(self.progress.seconds),
            "validation": self.progress.validations,
            "data": "linescan.simulation.ranges, TRAINING_SEEDS",
        }
        save_model(self.model, folder, self.plan.size, training)

    def _batches(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Return the batches still to come, made ahead by worker processes if there are any."""
        plan = self.plan
        batches = TrainingBatches(self.progress.step, plan.steps, plan.batch, plan.size, plan.seed)
        if not plan.workers:
            return iter(DataLoader(batches, batch_size=None))
        # A worker whose BLAS spins on all cores slows the trainer several times over. BLAS reads
        # its limit when it is loaded: hence fresh processes, and the variable while they start.
        with _environment("OPENBLAS_NUM_THREADS", "1"):
            return iter(
                DataLoader(
                    batches,
                    batch_size=None,
                    num_workers=plan.workers,
                    prefetch_factor=4,
                    worker_init_fn=prepare_worker,
                    multiprocessing_context="spawn",
                )
            )

    def _loss(self, *batch: torch.Tensor) -> torch.Tensor:
        images, heights = batch
        predicted = predict_height(self.model, images, bfloat16=self.plan.bfloat16)
        loss = height_loss(predicted, heights)
        if self._teacher is None:
            return loss
        taught = invariant_loss(predicted, self._teacher.disparity(images, self.plan.bfloat16))
        return loss + self.plan.teacher_weight * taught

    def _validation_frames(self) -> list[HeightFrame]:
        if not self._validation:
            seeds = VALIDATION_SEEDS[: self.plan.validation_frames]
            self._validation = [simulated_frame(seed, self.plan.size) for seed in seeds]
        return self._validation


def start_model(plan: TrainingPlan) -> DepthAnythingForDepthEstimation:
    """Return the model that a plan starts from.

    Raises:
        FileNotFoundError: there is no encoder.
        ModelError: an exported start cannot be turned back.
        ValueError: nothing to start from, or it has other layers than planned.
    """
    if plan.start is None:
        if plan.encoder is None:
            raise ValueError("neither an encoder nor a model to start from")
        return build_model(plan.encoder, plan.layers)
    folder = Path(plan.start)
    model = load_model(folder) if folder.is_dir() else model_from_onnx(plan.start).model
    layers = model.config.backbone_config.num_hidden_layers
    if layers != plan.layers:
        raise ValueError(f"{plan.start} has {layers} encoder layers, wanted {plan.layers}")
    return model


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """Set a variable for the processes started meanwhile."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
