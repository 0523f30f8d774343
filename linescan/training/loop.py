"""A training loop that can be stopped at any time and goes on where it was."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
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
from linescan.training.from_onnx import model_from_onnx
from linescan.training.losses import height_loss
from linescan.training.model import build_model, load_model, predict_height, save_model


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What a run does; a checkpoint may only be resumed under the plan that made it.

    Attributes:
        encoder: folder of the pretrained DINOv2 checkpoint; None with ``start``.
        start: model to go on from instead: a name, an .onnx file or a checkpoint folder.
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
        apart = {
            "encoder",
            "start",
            "workers",
            "checkpoint_every",
            "validate_every",
            "validation_frames",
        }
        return {k: v for k, v in asdict(self).items() if k not in apart}


@dataclass(slots=True)
class Progress:
    """Where a run stands.

    Attributes:
        step: optimiser steps done.
        loss: training loss, a running mean.
        validations: (step, mean RMSE over sigma after alignment) so far.
        seconds: time spent, over all resumptions.
    """

    step: int = 0
    loss: float = float("nan")
    validations: list[tuple[int, float]] = field(default_factory=list)
    seconds: float = 0.0

    def note_loss(self, loss: float) -> None:
        """Take one step's loss into the running mean."""
        self.loss = loss if self.step == 0 else 0.98 * self.loss + 0.02 * loss


class Trainer:
    """One run: model, optimiser, schedule and checkpoint in a folder."""

    def __init__(self, plan: TrainingPlan, out: Path) -> None:
        """Build the model, or take up the checkpoint in ``out`` if there is one.

        Raises:
            ValueError: if the checkpoint in ``out`` was made under another plan.
        """
        self.plan, self.out, self.progress = plan, out, Progress()
        torch.manual_seed(plan.seed)
        self.model = start_model(plan)
        # Channels last: a third faster in bfloat16 on a CPU.
        self.model.to(memory_format=torch.channels_last)
        self.optimiser = self._make_optimiser()
        self._validation: list[HeightFrame] = []
        if self.checkpoint.is_file():
            self._resume()

    @property
    def checkpoint(self) -> Path:
        """The file from which a run goes on."""
        return self.out / "checkpoint.pt"

    @property
    def done(self) -> float:
        """How much of the plan is done, 0 to 1: of its steps or of its time."""
        share = self.progress.step / self.plan.steps
        if self.plan.minutes is not None:
            share = max(share, self.progress.seconds / (60 * self.plan.minutes))
        return min(share, 1.0)

    @property
    def finished(self) -> bool:
        """Whether the plan is carried out."""
        return self.done >= 1

    def run(
        self,
        report: Callable[[Progress], None] = lambda _: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Progress:
        """Train until the last step, or until ``stopped()``; a checkpoint is left either way.

        Args:
            report: called after each step.
            stopped: asked after each step.
        """
        plan = self.plan
        self.out.mkdir(parents=True, exist_ok=True)
        self.model.train()
        started = time.monotonic()
        for images, heights in self._batches():
            self.progress.note_loss(self._step(images, heights))
            self.progress.step += 1
            if self._due(plan.validate_every):
                self.progress.validations.append((self.progress.step, self.validate()))
            now = time.monotonic()
            self.progress.seconds += now - started
            started = now
            if self._due(plan.checkpoint_every):
                self.save_checkpoint()
            report(self.progress)
            if self.finished or stopped():
                break
        self.save_checkpoint()
        return self.progress

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

    def save_checkpoint(self) -> None:
        """Write the checkpoint; the old one stays whole until the new one is."""
        state = {
            "plan": self.plan.identity(),
            "progress": asdict(self.progress),
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        partial = self.checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self.checkpoint)

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

    def _validation_frames(self) -> list[HeightFrame]:
        if not self._validation:
            seeds = VALIDATION_SEEDS[: self.plan.validation_frames]
            self._validation = [simulated_frame(seed, self.plan.size) for seed in seeds]
        return self._validation

    def _due(self, every: int) -> bool:
        return self.progress.step % every == 0 or self.finished

    def _make_optimiser(self) -> torch.optim.Optimizer:
        encoder = list(self.model.backbone.parameters())
        head = [*self.model.neck.parameters(), *self.model.head.parameters()]
        return torch.optim.AdamW([{"params": encoder}, {"params": head}], weight_decay=0.01)

    def _step(self, images: torch.Tensor, heights: torch.Tensor) -> float:
        loss = height_loss(predict_height(self.model, images, bfloat16=self.plan.bfloat16), heights)
        peaks = (self.plan.encoder_rate, self.plan.head_rate)
        for group, peak in zip(self.optimiser.param_groups, peaks, strict=True):
            group["lr"] = peak * cycle(self.done)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        return loss.item()

    def _resume(self) -> None:
        state = torch.load(self.checkpoint, weights_only=True)
        if state["plan"] != self.plan.identity():
            changed = {k for k, v in self.plan.identity().items() if state["plan"].get(k) != v}
            raise ValueError(
                f"{self.checkpoint} was made under another plan (differs in "
                f"{', '.join(sorted(changed))}): give the same options, or another --out"
            )
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.progress = Progress(**state["progress"])
        self.progress.validations = [(int(s), float(v)) for s, v in self.progress.validations]


WARM_UP = 0.05
"""Share of a run in which the learning rate rises."""


def cycle(done: float) -> float:
    """Return the learning rate over its peak: a short rise, then half a cosine down to nothing.

    One cycle, after L. Smith and N. Topin, "Super-convergence", 2018.
    """
    if done < WARM_UP:
        return 0.04 + 0.96 * done / WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP)))


def start_model(plan: TrainingPlan) -> DepthAnythingForDepthEstimation:
    """Return the model that a plan starts from.

    Raises:
        FileNotFoundError, ValueError: there is no such start, or it has other layers than planned.
        ModelError: an exported start cannot be turned back.
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
