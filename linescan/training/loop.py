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

from linescan.evaluation.metrics import rmse_over_sigma
from linescan.simulation import VALIDATION_SEEDS
from linescan.training.data import TrainingBatches, prepare_worker, simulated_frame
from linescan.training.losses import height_loss
from linescan.training.model import build_model, predict_height, save_model
from linescan.training.resumable import ResumableLoop


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What a run does; a checkpoint may only be resumed under the plan that made it.

    Attributes:
        encoder: folder of the pretrained DINOv2 checkpoint.
        steps: optimiser steps.
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

    encoder: Path
    steps: int = 1500
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
        apart = {"encoder", "workers", "checkpoint_every", "validate_every", "validation_frames"}
        return {k: v for k, v in asdict(self).items() if k not in apart}


class Trainer(ResumableLoop):
    """One run: a surface model, trained on frames of the simulated web."""

    def __init__(self, plan: TrainingPlan, out: Path) -> None:
        """Build the model, or take up the checkpoint in ``out`` if there is one.

        Raises:
            ValueError: if the checkpoint in ``out`` was made under another plan.
        """
        self.plan = plan
        torch.manual_seed(plan.seed)
        model: Any = build_model(plan.encoder, plan.layers)
        # Channels last: a third faster in bfloat16 on a CPU.
        model.to(memory_format=torch.channels_last)
        head = [*model.neck.parameters(), *model.head.parameters()]
        groups = [
            {"params": list(model.backbone.parameters()), "lr": plan.encoder_rate},
            {"params": head, "lr": plan.head_rate},
        ]
        super().__init__(plan, out, model, groups)

    def validate(self) -> float:
        """Return the mean aligned RMSE over sigma on frames of ``VALIDATION_SEEDS``."""
        self.model.eval()
        ratios = []
        for seed in VALIDATION_SEEDS[: self.plan.validation_frames]:
            frame = simulated_frame(seed, self.plan.size)
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
        return height_loss(predict_height(self.model, images, bfloat16=self.plan.bfloat16), heights)


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
