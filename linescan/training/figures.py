"""How good a model is before and after fine-tuning, by the yardstick's figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from linescan.evaluation.metrics import align, rank_correlation, rmse, rmse_over_sigma
from linescan.pictures.files import write_whole
from linescan.training.checks import has_relief
from linescan.training.finetuning import FineTuner
from linescan.training.lighting import relight
from linescan.training.objectives import plane_residual
from linescan.training.pairs import Sample


@dataclass(frozen=True, slots=True)
class Figures:
    """Means over samples; None where it cannot be known.

    Attributes:
        ratio: RMSE over σ of the truth after alignment by one scale and shift a sample.
        rank: rank correlation with the truth, -1 to 1.
        absolute: RMSE as it stands, µm, for metric targets.
        light: mean change of the output under another light, over the output's own σ.
        flat: mean residual of planes where the user says it is flat, over the same.
        kept: without truth: how much of the starting model's relief is left, the slope of the
            output on that of the starting model.
    """

    ratio: float | None
    rank: float | None
    absolute: float | None
    light: float
    flat: float | None
    kept: float | None = None


def judge(tuner: FineTuner, model: Any, samples: Sequence[Sample]) -> Figures:
    """Judge a model on samples, in the unit of the run."""
    model.eval()
    outputs = [tuner.output(model, each.image) for each in samples]
    known = [
        (tuner.upwards * output, each.height)
        for output, each in zip(outputs, samples, strict=True)
        if has_relief(each)
    ]
    # Of this model's own output: a relative model's scale is free, and may grow.
    spread = max(float(np.mean([output.std() for output in outputs])), 1e-9)
    flat = [
        float(plane_residual(torch.from_numpy(output), torch.from_numpy(each.flat))) / spread
        for output, each in zip(outputs, samples, strict=True)
        if each.flat.any()
    ]
    metric = tuner.plan.target == "metric"
    return Figures(
        ratio=_mean([rmse_over_sigma(p, t) for p, t in known]),
        rank=_mean([rank_correlation(p, t) for p, t in known]),
        absolute=_mean([rmse(p, t) for p, t in known]) if metric else None,
        light=float(
            np.mean(
                [
                    _change(tuner, model, s, o) / spread
                    for s, o in zip(samples, outputs, strict=True)
                ]
            )
        ),
        flat=_mean(flat),
        kept=_kept(tuner, outputs, samples) if tuner.plan.target == "none" else None,
    )


def picture(tuner: FineTuner, model: Any, sample: Sample, path: Path) -> None:
    """Write image, truth, and the outputs before and after, aligned to the truth if there is one.

    Args:
        tuner: the run.
        model: after training.
        sample: what to show.
        path: a .jpg file.
    """
    outputs = [tuner.output(each, sample.image) for each in (tuner.reference, model)]
    height = sample.height
    if np.isfinite(height).sum() > 2:
        outputs = [align(o, height).apply(o).astype(np.float32) for o in outputs]
    else:
        height = outputs[0]
    low, high = np.nanpercentile(height, (1, 99))
    panels = [cv2.cvtColor(sample.image, cv2.COLOR_GRAY2BGR)]
    for values in (sample.height, *outputs):
        levels = np.clip((values - low) / max(high - low, 1e-9), 0, 1)
        gray = np.nan_to_num(255 * levels).astype(np.uint8)
        panels.append(cv2.applyColorMap(gray, cv2.COLORMAP_VIRIDIS))
        panels[-1][~np.isfinite(values)] = 0
    _, data = cv2.imencode(".jpg", np.hstack(panels), [cv2.IMWRITE_JPEG_QUALITY, 85])
    write_whole(path, data.tobytes())


def _change(tuner: FineTuner, model: Any, sample: Sample, output: NDArray[np.float32]) -> float:
    image = torch.from_numpy(sample.image)[None, None]
    lit: NDArray[np.uint8] = relight(image, np.random.default_rng(7))[0, 0].numpy()
    return float(np.abs(tuner.output(model, lit) - output).mean())


def _kept(
    tuner: FineTuner, outputs: Sequence[NDArray[np.float32]], samples: Sequence[Sample]
) -> float:
    before = [tuner.output(tuner.reference, each.image).ravel() for each in samples]
    return align(np.concatenate(before), np.concatenate([each.ravel() for each in outputs])).scale


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
