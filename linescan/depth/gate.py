"""The numeric gate: an engine must agree with the fp32 reference on the weights it will run."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from linescan.depth.backends.base import Engine, LoadedModel
from linescan.depth.probe import enlarged, probe_image
from linescan.errors import ModelError
from linescan.records import FloatArray


@dataclass(frozen=True, slots=True)
class Agreement:
    """How an output relates to the reference.

    Attributes:
        deviation: RMS of ``scale * output + shift - reference``, in standard deviations of the
            reference.
        scale: by least squares.
        bias: mean of the output minus that of the reference, in its standard deviations.
    """

    deviation: float
    scale: float
    bias: float


def agreement(output: FloatArray, reference: FloatArray) -> Agreement:
    """Fit an output to the reference in scale and shift, and measure what is left.

    Scale and shift are the closed-form least squares solution: scale = cov(o, r) / var(o) and
    shift = mean(r) - scale * mean(o). The deviation of a constant output is 1, its scale 0.

    Args:
        output: of the engine, any shape, finite.
        reference: of the same shape, finite and not constant.

    Raises:
        ModelError: memory ran out.
    """
    try:
        return _fit(output, reference)
    except MemoryError as error:
        raise ModelError(f"out of memory: {output.size} depth values cannot be compared") from error


def _fit(output: FloatArray, reference: FloatArray) -> Agreement:
    o = output.astype(np.float64).ravel()
    r = reference.astype(np.float64).ravel()
    mean_o, mean_r = o.mean(), r.mean()
    o -= mean_o
    r -= mean_r
    variance, spread = float(o @ o), float(r @ r)
    scale = float(o @ r) / variance if variance > 0.0 else 0.0
    bias = float(mean_o - mean_r) / math.sqrt(spread / r.size)
    o *= scale
    o -= r
    return Agreement(math.sqrt(float(o @ o) / spread), scale, bias)


def probes(shape: tuple[int, ...], count: int | None = None) -> list[npt.NDArray[np.uint8]]:
    """Images to compare engines on, the same on every run.

    The first has a lot of grain, on which engines deviate most; then come usual grain, and none.

    Args:
        shape: (rows, columns), or (rows, columns, 3).
        count: how many of them to make; all where None.
    """
    images = []
    for make in (_noisy, probe_image, _smooth)[:count]:
        gray = make(*shape[:2])
        images.append(gray if len(shape) == 2 else np.repeat(gray[..., None], shape[2], axis=2))
    return images


def _noisy(rows: int, columns: int) -> npt.NDArray[np.uint8]:
    def make(rows: int, columns: int) -> npt.NDArray[np.uint8]:
        noise = np.random.default_rng(11).normal(0.0, 12.0, (rows, columns))
        noise += probe_image(rows, columns)[::-1, ::-1]
        return np.clip(np.rint(noise), 0, 255).astype(np.uint8)

    return enlarged(make, rows, columns)


def _smooth(rows: int, columns: int) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(probe_image(rows, columns, grain=0.0)[:, ::-1])


class DeviationError(ModelError):
    """An engine does not agree with the reference."""


class Gate:
    """Compares engines with the fp32 reference, whose outputs are computed once.

    Attributes:
        reference_ms: what the reference needed for an image.

    Args:
        reference: the model in fp32 on the CPU; not kept.
        tolerance: most deviation that passes; infinite to measure only.
        count: how many of the probe images to compare on, the hardest first; all where None.
    """

    def __init__(self, reference: Engine, tolerance: float, count: int | None = None) -> None:
        self.tolerance = tolerance
        self.images = probes(reference.image_shape, count)
        self._references, self.reference_ms = _timed(reference, self.images)
        self._measurable = all(float(np.ptp(output)) > 0.0 for output in self._references)
        if not self._measurable and math.isfinite(tolerance):
            card = reference.card
            raise ModelError(
                f"{card.path}: depth model '{card.name}' gives the same value everywhere on a "
                f"structured image: it is not trained, or damaged; train or export it again"
            )

    def check(self, engine: LoadedModel) -> float:
        """Run the probe images and set the engine's ``deviation``, the worst of them.

        Returns:
            What it needed for an image, in ms.

        Raises:
            DeviationError: it deviates by more than the tolerance.
            ModelError: it fails to run.
        """
        outputs, ms = _timed(engine, self.images)
        if self._measurable:
            found = [agreement(o, r) for o, r in zip(outputs, self._references, strict=True)]
            engine.deviation = max(a.deviation for a in found)
            for each in found:
                require(each, self.tolerance, engine.name)
        return ms


def require(found: Agreement, tolerance: float, name: str) -> None:
    """Raise a ``DeviationError`` where an engine's output is too far from the reference."""
    if not math.isfinite(tolerance):
        return
    if not found.deviation <= tolerance:
        raise DeviationError(
            f"{name} deviates from the fp32 reference by {found.deviation:.2g} standard "
            f"deviations, more than {tolerance:g}"
        )
    if abs(found.scale - 1.0) > tolerance:
        raise DeviationError(
            f"{name} gives depth that must be scaled by {found.scale:.3g} to fit the fp32 "
            f"reference: more than {tolerance:g} off 1"
        )
    if abs(found.bias) > tolerance:
        raise DeviationError(
            f"{name} gives depth that is {found.bias:+.2g} standard deviations off the fp32 "
            f"reference in the mean, more than {tolerance:g}"
        )


def _timed(
    engine: Engine, images: Sequence[npt.NDArray[np.uint8]]
) -> tuple[list[FloatArray], float]:
    """Outputs, and the least time in ms: the first run warms up."""
    outputs, durations = [], []
    for image in images:
        start = time.perf_counter()
        outputs.append(engine.infer(image))
        durations.append(time.perf_counter() - start)
    return outputs, 1e3 * min(durations)
