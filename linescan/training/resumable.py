"""A loop of optimiser steps that can be stopped at any time and goes on where it was."""

from __future__ import annotations

import math
import pickle
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

import torch

Batch = tuple[torch.Tensor, ...]


class Plan(Protocol):
    """What a loop has to know of the plan it carries out."""

    @property
    def steps(self) -> int:
        """Optimiser steps."""

    @property
    def checkpoint_every(self) -> int:
        """Steps between checkpoints."""

    @property
    def validate_every(self) -> int:
        """Steps between validations."""

    def identity(self) -> dict[str, Any]:
        """What must be equal for a checkpoint to fit this plan."""


@dataclass(slots=True)
class Progress:
    """Where a run stands.

    Attributes:
        step: optimiser steps done.
        loss: training loss, a running mean.
        validations: (step, figure) so far, lower is better.
        seconds: time spent, over all resumptions.
    """

    step: int = 0
    loss: float = float("nan")
    validations: list[tuple[int, float]] = field(default_factory=list)
    seconds: float = 0.0

    def note_loss(self, loss: float) -> None:
        """Take one step's loss into the running mean."""
        self.loss = loss if self.step == 0 else 0.98 * self.loss + 0.02 * loss


def cycle(done: float, warm_up: float) -> float:
    """Return the learning rate over its peak: a short rise, then half a cosine down to nothing.

    One cycle, after L. Smith and N. Topin, "Super-convergence", 2018.

    Args:
        done: how much of the run is done, 0 to 1.
        warm_up: share of the run in which the rate rises.
    """
    if done < warm_up:
        return 0.04 + 0.96 * done / warm_up
    return 0.5 * (1 + math.cos(math.pi * (done - warm_up) / (1 - warm_up)))


class ResumableLoop(ABC):
    """Model, optimiser and checkpoint in a folder; what is learned is the subclass's.

    The learning rate is a function of ``done``.
    """

    def __init__(
        self,
        plan: Plan,
        out: Path,
        model: Any,
        groups: list[dict[str, Any]],
        warm_up: float = 0.08,
    ) -> None:
        """Take up the checkpoint in ``out`` if there is one.

        Args:
            plan: what to do.
            out: folder of the checkpoint.
            model: what is trained.
            groups: of parameters, each with its peak learning rate ``lr``, as optimisers take them.
            warm_up: share of the run in which the learning rate rises.

        Raises:
            ValueError: if the checkpoint in ``out`` was made under another plan.
        """
        self._plan, self.out, self.model, self.progress = plan, out, model, Progress()
        self._peaks, self._warm_up = [group["lr"] for group in groups], warm_up
        self.optimiser = torch.optim.AdamW(groups, weight_decay=0.01)
        if self.checkpoint.is_file():
            self._resume()

    @property
    def checkpoint(self) -> Path:
        """The file from which a run goes on."""
        return self.out / "checkpoint.pt"

    @property
    def done(self) -> float:
        """How much of the run is done, 0 to 1."""
        return min(self.progress.step / self._plan.steps, 1.0)

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to learn."""
        return self.done >= 1

    def run(
        self,
        report: Callable[[Progress], None] = lambda _: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Progress:
        """Train until finished, or until ``stopped()``; a checkpoint is left either way.

        Args:
            report: called after each step.
            stopped: asked after each step.

        Raises:
            ValueError: the loss is no number any more.
        """
        self.out.mkdir(parents=True, exist_ok=True)
        self.model.train()
        started = monotonic()
        for batch in () if self.finished else self._batches():
            self.progress.note_loss(self._step(*batch))
            self.progress.step += 1
            # From step to step, waiting for a batch and validating included.
            now = monotonic()
            self.progress.seconds += now - started
            started = now
            if self._due(self._plan.validate_every):
                self._note_validation(self.validate())
            if self._due(self._plan.checkpoint_every):
                self.save_checkpoint()
            report(self.progress)
            if stopped() or self.finished:
                break
        self.save_checkpoint()
        return self.progress

    def save_checkpoint(self) -> None:
        """Write the checkpoint; the old one stays whole until the new one is."""
        state = {
            "plan": self._plan.identity(),
            "progress": asdict(self.progress),
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        partial = self.checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self.checkpoint)

    @abstractmethod
    def validate(self) -> float:
        """Return how good the model is on what it has not learned from; lower is better."""

    @abstractmethod
    def _batches(self) -> Iterator[Batch]:
        """Return the batches still to come: a function of the step's number."""

    @abstractmethod
    def _loss(self, *batch: torch.Tensor) -> torch.Tensor:
        """Return the loss of one batch, a scalar."""

    def _note_validation(self, figure: float) -> None:
        self.progress.validations.append((self.progress.step, figure))

    def _due(self, every: int) -> bool:
        return self.progress.step % every == 0 or self.finished

    def _step(self, *batch: torch.Tensor) -> float:
        for group, peak in zip(self.optimiser.param_groups, self._peaks, strict=True):
            group["lr"] = peak * cycle(self.done, self._warm_up)
        loss = self._loss(*batch)
        if not torch.isfinite(loss):
            raise ValueError(
                f"the loss is no number any more after step {self.progress.step}: begin again in "
                "another folder, with a lower learning rate"
            )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        return loss.item()

    def _resume(self) -> None:
        wanted = self._plan.identity()
        state = self._state()
        if state["plan"] != wanted:
            changed = {k for k, v in wanted.items() if state["plan"].get(k) != v}
            raise ValueError(
                f"{self.checkpoint} was made under another plan (differs in "
                f"{', '.join(sorted(changed))}): give the same options, or another --out"
            )
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.progress = Progress(**state["progress"])
        self.progress.validations = [(int(s), float(v)) for s, v in self.progress.validations]

    def _state(self) -> dict[str, Any]:
        try:
            state = torch.load(self.checkpoint, weights_only=True)
            known = set(state) >= {"plan", "progress", "model", "optimiser"}
        except (EOFError, RuntimeError, TypeError, pickle.UnpicklingError):
            known = False
        if not known:
            raise ValueError(
                f"{self.checkpoint}: damaged, or no checkpoint of such a run: take it away, or "
                "give another --out"
            )
        found: dict[str, Any] = state
        return found
