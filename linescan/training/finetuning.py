"""Fine-tuning a depth model on a user's own samples."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from linescan.depth.export.checkpoint import quiet
from linescan.depth.models import PATCH
from linescan.evaluation.metrics import align, rmse, rmse_over_sigma
from linescan.training.checks import check_flat, check_held_out
from linescan.training.crops import crop_shape, random_crop, starts
from linescan.training.finetune_plan import DataPlan, FineTunePlan
from linescan.training.lighting import relight
from linescan.training.lora import add_lora, merge_lora
from linescan.training.model import HEIGHT_OFFSET, predict_height
from linescan.training.objectives import (
    consistency_loss,
    metric_loss,
    relative_loss,
    silog_loss,
)
from linescan.training.pairs import PairsError, Sample, digest
from linescan.training.resumable import ResumableLoop
from linescan.training.starts import Start

LIGHTS = 2
"""Other lights under which a model without truth is judged."""


class FineTuner(ResumableLoop):
    """One run on a user's samples; the best model on the held-out ones is kept."""

    def __init__(
        self,
        plan: FineTunePlan,
        out: Path,
        start: Start,
        samples: Sequence[Sample],
        held_out: Sequence[Sample],
    ) -> None:
        """Prepare the run, or take up its checkpoint in ``out``.

        Args:
            plan: what to do.
            out: folder of the checkpoint.
            start: the model; it is changed.
            samples: to learn from.
            held_out: to judge by, and to stop by.

        Raises:
            PairsError: the samples are too small, or hold no truth where it is needed.
            ValueError: if the checkpoint in ``out`` was made under another plan or on other data.
        """
        if not samples or not held_out:
            raise PairsError("there is nothing to learn from, or nothing held out to judge by")
        self.plan, self.start = plan, start
        self.samples, self.held_out = tuple(samples), tuple(held_out)
        self.upwards = 1.0 if plan.target == "metric" else start.upwards
        self.shape = crop_shape(samples, plan.size)
        crop_shape(held_out, plan.size)
        self.reference = copy.deepcopy(start.model).eval().requires_grad_(False)
        self._measure()
        torch.manual_seed(plan.seed)
        groups = self._prepare(start.model)
        start.model.to(memory_format=torch.channels_last)
        data = DataPlan(plan, digest((*samples, *held_out)))
        super().__init__(data, out, start.model, groups)

    @property
    def finished(self) -> bool:
        """Whether all steps are done, or nothing has got better for long enough."""
        figures = [figure for _, figure in self.progress.validations]
        since = len(figures) - 1 - int(np.argmin(figures)) if figures else 0
        return self.progress.step >= self.plan.steps or since >= self.plan.patience

    @property
    def best(self) -> Path:
        """The weights that were best on the held-out samples."""
        return self.out / "best.pt"

    def output(self, model: Any, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The scaled output of a model for an image of any size: in µm, or relative.

        It is computed in crops side by side; what is left over at the borders is covered by
        crops that end there.

        Args:
            model: the one in training, or the reference.
            image: (h, w), at least a patch along each side.
        """
        found = np.empty(image.shape, dtype=np.float32)
        rows, columns = (min(self.plan.size, n) // PATCH * PATCH for n in image.shape)
        for line in starts(image.shape[0], rows):
            for column in starts(image.shape[1], columns):
                part = np.s_[line : line + rows, column : column + columns]
                with torch.no_grad():
                    raw = raw_output(model, torch.from_numpy(image[part].copy())[None, None])
                found[part] = raw[0].numpy()
        return self.scale * found + self.shift

    def validate(self) -> float:
        """Return the mean figure of the held-out samples; see ``figure``."""
        self.model.eval()
        figures = [self.figure(self.model, each) for each in self.held_out]
        self.model.train()
        return float(np.mean(figures))

    def figure(self, model: Any, sample: Sample) -> float:
        """How good a model is on one sample; lower is better.

        RMSE over σ of the truth: after alignment by scale and shift for relative height, as it
        stands for metric height. Without truth: the objective itself, under fixed lights.
        """
        if self.plan.target == "none":
            return self._unrest(model, sample)
        predicted = self.upwards * self.output(model, sample.image)
        if self.plan.target == "metric":
            return rmse(predicted, sample.height) / self.spread
        ratio = rmse_over_sigma(predicted, sample.height)
        # The ratio is blind to the sign: relief turned inside out is worse than none.
        return ratio if align(predicted, sample.height).scale >= 0 else 2 - ratio

    def finish(self) -> Any:
        """The best model, with its low-rank changes merged; ready for export."""
        if self.best.is_file():
            self.model.load_state_dict(torch.load(self.best, weights_only=True))
        merge_lora(self.model)
        return self.model.eval()

    def save(self, folder: Path, name: str, report: dict[str, Any]) -> Path:
        """Write the finished model as a Hugging Face checkpoint with ``linescan.json``."""
        with quiet():
            self.model.save_pretrained(folder)
        metric = self.plan.target == "metric"
        said = {
            **self.start.meaning,
            "name": name,
            "scale": self.scale,
            "shift": self.shift,
            "noise_floor": self.noise_floor(),
            "training": report,
        }
        if metric:
            said |= {"convention": "height", "unit": "um"}
        (folder / "linescan.json").write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
        return folder

    def noise_floor(self) -> float:
        """Twice the robust deviation of the held-out error, in the scaled output's unit.

        Without truth nothing is learned of what is no relief: it is the start's floor at least.
        """
        errors = []
        for sample in self.held_out:
            found = self.output(self.model, sample.image)
            if self.plan.target == "none":
                errors.append(found - self.output(self.model, self._lit(sample, 1)))
            elif self.plan.target == "metric":
                errors.append(found - sample.height)
            else:
                errors.append(found - align(sample.height, found).apply(sample.height))
        flat = np.concatenate([e[np.isfinite(e)].ravel() for e in errors])
        floor = float(2 * 1.4826 * np.median(np.abs(flat - np.median(flat))))
        if self.plan.target == "none":
            return max(floor, float(self.start.meaning["noise_floor"]))
        return floor

    def _measure(self) -> None:
        """The starting model's output on the samples, and from it the unit of the new one."""
        self.scale, self.shift = 1.0, 0.0
        raw = [self.output(self.reference, each.image) for each in self.samples]
        self.raw_spread = max(float(np.mean([r.std() for r in raw])), 1e-6)
        self.scale = float(self.start.meaning["scale"])
        self.shift = float(self.start.meaning["shift"])
        if self.plan.target == "none":
            check_flat(self.samples)
            return
        truth = np.concatenate([s.height[np.isfinite(s.height)] for s in self.samples])
        if truth.size < 100:
            raise PairsError(f"only {truth.size} points of known height to learn from")
        check_held_out(self.held_out, relief=self.plan.target == "relative")
        self.spread = float(truth.std())
        if self.spread == 0:
            raise PairsError("the known height is the same everywhere: there is nothing to learn")
        if self.plan.target == "metric":
            self._choose_unit(np.concatenate([r.ravel() for r in raw]), truth)

    def _choose_unit(self, raw: NDArray[np.float32], truth: NDArray[np.float32]) -> None:
        """Scale and shift by which the starting model's output has the truth's mean and deviation.

        The head ends in a ReLU: its last bias is raised where the lowest height would lie below.
        """
        self.scale = self.start.sign * self.spread / self.raw_spread
        self.shift = float(truth.mean()) - self.scale * float(raw.mean())
        lowest = float(((truth - self.shift) / self.scale).min())
        lift = max(0.0, self.raw_spread - lowest)
        with torch.no_grad():
            for model in (self.start.model, self.reference):
                model.head.conv3.bias += lift
        self.shift -= self.scale * lift

    def _prepare(self, model: Any) -> list[dict[str, Any]]:
        """Freeze what stays, and return the groups of what is trained."""
        rate = self.plan.encoder_rate
        if self.plan.mode == "full":
            encoder = list(model.backbone.parameters())
        elif self.plan.mode == "lora":
            encoder, rate = add_lora(model.backbone, self.plan.rank), 10 * rate
        else:
            model.backbone.requires_grad_(False)
            encoder = []
        head = [*model.neck.parameters(), *model.head.parameters()]
        groups: list[dict[str, Any]] = [{"params": head, "lr": self.plan.head_rate}]
        return [*groups, {"params": encoder, "lr": rate}] if encoder else groups

    def _batches(self) -> Iterator[tuple[torch.Tensor, ...]]:
        for step in range(self.progress.step, self.plan.steps):
            yield self._batch(np.random.default_rng((self.plan.seed, step)))

    def _batch(self, rng: np.random.Generator) -> tuple[torch.Tensor, ...]:
        """Images, the same under another light, heights and flat masks of one step."""
        areas = np.array([float(s.image.size) for s in self.samples])
        crops = []
        for number in rng.choice(len(areas), self.plan.batch, p=areas / areas.sum()):
            crop = random_crop(self.samples[int(number)], self.shape, rng)
            mirrored = self.plan.mirror and rng.random() < 0.5
            arrays = (crop.image, crop.height, crop.flat)
            crops.append([np.ascontiguousarray(a[:, ::-1] if mirrored else a) for a in arrays])
        images, heights, flat = (
            torch.from_numpy(np.stack(each)) for each in zip(*crops, strict=True)
        )
        images = images[:, None]
        lit = relight(images, rng) if self.plan.relight or self.plan.target == "none" else images
        return images, lit, heights, flat

    def _loss(self, *batch: torch.Tensor) -> torch.Tensor:
        images, lit, heights, flat = batch
        raw = raw_output(self.model, lit)
        if self.plan.target == "none":
            with torch.no_grad():
                anchor = raw_output(self.reference, images)
            other = raw_output(self.model, images)
            return consistency_loss(raw, other, anchor, flat, self.raw_spread, self.plan.hold)
        if self.plan.target == "relative":
            floors = (0.1 * self.raw_spread, 0.1 * self.spread)
            return relative_loss(raw, heights * self.start.sign, floors)
        if self.plan.silog:
            return silog_loss(raw, (heights - self.shift) / self.scale)
        return metric_loss(self.scale * raw + self.shift, heights, self.spread)

    def _note_validation(self, figure: float) -> None:
        super()._note_validation(figure)
        if figure <= min(each for _, each in self.progress.validations):
            partial = self.best.with_suffix(".partial")
            torch.save(self.model.state_dict(), partial)
            partial.replace(self.best)

    def _lit(self, sample: Sample, number: int) -> NDArray[np.uint8]:
        image = torch.from_numpy(sample.image)[None, None]
        lit: NDArray[np.uint8] = relight(image, np.random.default_rng(number))[0, 0].numpy()
        return lit

    def _unrest(self, model: Any, sample: Sample) -> float:
        """The objective without truth, under lights that are the same each time."""
        anchor = torch.from_numpy(self.output(self.reference, sample.image))[None]
        plain = torch.from_numpy(self.output(model, sample.image))[None]
        spread = self.raw_spread * abs(self.scale)
        flat = torch.from_numpy(sample.flat)[None]
        found = []
        for number in range(1, LIGHTS + 1):
            lit = torch.from_numpy(self.output(model, self._lit(sample, number)))[None]
            loss = consistency_loss(lit, plain, anchor, flat, spread, self.plan.hold)
            found.append(float(loss))
        return float(np.mean(found))


def raw_output(model: Any, images: torch.Tensor) -> torch.Tensor:
    """What a relative head gives: (n, 1, h, w) uint8 to (n, h, w), before scale and shift."""
    return predict_height(model, images) + HEIGHT_OFFSET
