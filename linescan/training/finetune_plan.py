"""What a fine-tuning run does."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Mode = Literal["frozen", "lora", "full"]
Target = Literal["relative", "metric", "none"]


@dataclass(frozen=True, slots=True)
class FineTunePlan:
    """What a run does; a checkpoint may only be resumed under the plan that made it.

    Attributes:
        start: what the run starts from, as the user gave it.
        mode: what is trained beside the head: nothing of the encoder, low-rank changes, or all.
        target: relative height, height in µm, or none (self-consistency).
        silog: for metric targets: SiLog in place of L1 and gradient.
        steps: most optimiser steps.
        batch: crops in a step.
        size: of a crop, model pixels; a multiple of 14.
        seed: of crops, light and low-rank weights.
        rank: of the low-rank changes.
        encoder_rate: peak learning rate of the encoder; ten times as much for low-rank changes.
        head_rate: of the head.
        hold: weight of the distance to the starting model, without truth.
        relight: change the light of each crop at random.
        mirror: mirror crops at random across the web: not where the light comes from one side.
        patience: validations without improvement before the run ends early.
        checkpoint_every: steps between checkpoints.
        validate_every: steps between validations.
    """

    start: str
    mode: Mode = "lora"
    target: Target = "relative"
    silog: bool = False
    steps: int = 400
    batch: int = 4
    size: int = 252
    seed: int = 0
    rank: int = 8
    encoder_rate: float = 2e-5
    head_rate: float = 1e-4
    hold: float = 0.5
    relight: bool = True
    mirror: bool = False
    patience: int = 6
    checkpoint_every: int = 50
    validate_every: int = 20

    def identity(self) -> dict[str, Any]:
        """Return what must be equal for a checkpoint to fit this plan."""
        apart = {"checkpoint_every", "validate_every", "patience"}
        return {k: v for k, v in asdict(self).items() if k not in apart}


@dataclass(frozen=True, slots=True)
class DataPlan:
    """A plan and the data that it is carried out on: both must be the same to resume."""

    plan: FineTunePlan
    data: str

    @property
    def steps(self) -> int:
        """Optimiser steps."""
        return self.plan.steps

    @property
    def checkpoint_every(self) -> int:
        """Steps between checkpoints."""
        return self.plan.checkpoint_every

    @property
    def validate_every(self) -> int:
        """Steps between validations."""
        return self.plan.validate_every

    def identity(self) -> dict[str, Any]:
        """Return what must be equal for a checkpoint to fit."""
        return {**self.plan.identity(), "data": self.data}
