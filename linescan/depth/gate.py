"""The numeric gate: an engine must agree with the fp32 reference on the weights it will run."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from linescan.depth.backends.base import Engine, LoadedModel
from linescan.depth.probe import enlarged, probe_image
from linescan.errors import ModelError
from linescan.records import FloatArray
from linescan.simulation import SimulatedWeb, preset

GATE: Final = 2
"""Counts the gates there were, with other images or another measure: what one of them refused is
tried again by the next."""
RELIEF: Final = 252
"""Rows and columns of a simulated web, at least, so that there is relief on it; a smaller image is
shrunk from that."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How outputs relate to their references.

    Attributes:
        deviation: RMS of ``scale * output + shift - reference``, in standard deviations of the
            reference.
        scale: by least squares, one for all images.
        bias: mean of the output minus that of the reference, in its standard deviations, of the
            image where it is farthest from 0.
    """

    deviation: float
    scale: float
    bias: float


def agreement(output: FloatArray, reference: FloatArray) -> Agreement:
    """The agreement on a single image, see ``pooled``; its reference must not be constant."""
    return pooled([output], [reference])


def pooled(outputs: Sequence[FloatArray], references: Sequence[FloatArray]) -> Agreement:
    """Fit outputs to their references in scale and shift, and measure what is left.

    One scale for all images, and a shift for each, are the closed-form least squares solution:
    scale = cov(o, r) / var(o) over all, shift = mean(r) - scale * mean(o). The standard deviation
    that all is told in is that over all images, each around its mean: where a model sees nothing on
    one of them, the noise there counts by its size, not in units of nothing. The deviation of
    constant outputs is 1, their scale 0.

    Args:
        outputs: of the engine, one for each image, any shapes, finite.
        references: of the same shapes, finite, not all constant.

    Raises:
        ModelError: memory ran out, or all references are constant.
    """
    try:
        sums = [_sums(o, r) for o, r in zip(outputs, references, strict=True)]
    except MemoryError as error:
        size = max(output.size for output in outputs)
        raise ModelError(f"out of memory: {size} depth values cannot be compared") from error
    variance, product, spread = (math.fsum(each[i] for each in sums) for i in range(3))
    if not spread > 0.0:
        raise ModelError(
            "the model gives the same depth everywhere on all images: nothing can be compared"
        )
    scale = product / variance if variance > 0.0 else 0.0
    sigma = math.sqrt(spread / sum(reference.size for reference in references))
    bias = max((each[3] / sigma for each in sums), key=abs)
    try:
        left = math.fsum(_left(o, r, scale) for o, r in zip(outputs, references, strict=True))
    except MemoryError as error:
        raise ModelError("out of memory: depth cannot be compared") from error
    return Agreement(math.sqrt(left / spread), scale, bias)


def _centred(values: FloatArray) -> tuple[npt.NDArray[np.float64], float]:
    flat = values.astype(np.float64).ravel()
    mean = float(flat.mean())
    flat -= mean
    return flat, mean


def _sums(output: FloatArray, reference: FloatArray) -> tuple[float, float, float, float]:
    """Of squares, products and the reference's squares, around the means; the means' difference."""
    o, mean_o = _centred(output)
    r, mean_r = _centred(reference)
    return float(o @ o), float(o @ r), float(r @ r), mean_o - mean_r


def _left(output: FloatArray, reference: FloatArray, scale: float) -> float:
    """Sum of squares that the fit leaves."""
    o, _ = _centred(output)
    r, _ = _centred(reference)
    o *= scale
    o -= r
    return float(o @ o)


def probes(shape: tuple[int, ...]) -> list[npt.NDArray[np.uint8]]:
    """Images to compare engines on, the same on every run.

    The first has usual grain, the second a lot. The third is a simulated web: a model of fine
    relief, trained on such, sees little in the wide bumps of the others, and its depth of them is
    hardly more than rounding.

    Args:
        shape: (rows, columns), or (rows, columns, 3).
    """
    images = []
    for make in (probe_image, _noisy, _web):
        gray = make(*shape[:2])
        images.append(gray if len(shape) == 2 else np.repeat(gray[..., None], shape[2], axis=2))
    return images


def _noisy(rows: int, columns: int) -> npt.NDArray[np.uint8]:
    def make(rows: int, columns: int) -> npt.NDArray[np.uint8]:
        noise = np.random.default_rng(11).normal(0.0, 12.0, (rows, columns))
        noise += probe_image(rows, columns)[::-1, ::-1]
        return np.clip(np.rint(noise), 0, 255).astype(np.uint8)

    return enlarged(make, rows, columns)


def _web(rows: int, columns: int) -> npt.NDArray[np.uint8]:
    import cv2  # reading cards and choosing models does without

    def make(rows: int, columns: int) -> npt.NDArray[np.uint8]:
        scene = preset("mixed", seed=5, width=max(columns, RELIEF))
        web = SimulatedWeb(scene).lines(0, max(rows, RELIEF)).pixels
        return np.asarray(cv2.resize(web, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)

    return enlarged(make, rows, columns)


class DeviationError(ModelError):
    """An engine does not agree with the reference."""


class Gate:
    """Compares engines with the fp32 reference, whose outputs are computed once.

    Attributes:
        reference_ms: what the reference needed for an image.

    Args:
        reference: the model in fp32 on the CPU; not kept.
        tolerance: most deviation that passes; infinite to measure only.
        frames: other images to compare on as well, as the model takes them.
    """

    def __init__(
        self,
        reference: Engine,
        tolerance: float,
        frames: Sequence[npt.NDArray[np.uint8]] = (),
    ) -> None:
        self.tolerance = tolerance
        own = probes(reference.image_shape)
        self.images = [*own, *frames]
        self._references, self.reference_ms = _timed(reference, self.images)
        self._measurable = any(float(np.ptp(each)) > 0.0 for each in self._references[: len(own)])
        if not self._measurable and math.isfinite(tolerance):
            card = reference.card
            raise ModelError(
                f"{card.path}: depth model '{card.name}' gives the same value everywhere on "
                f"structured images: it is not trained, or damaged; train or export it again"
            )

    def check(self, engine: LoadedModel) -> float:
        """Run the images and set the engine's ``deviation``, over all of them.

        Returns:
            What it needed for an image, in ms.

        Raises:
            DeviationError: it deviates by more than the tolerance.
            ModelError: it fails to run.
        """
        outputs, ms = _timed(engine, self.images)
        if self._measurable:
            found = pooled(outputs, self._references)
            engine.deviation = found.deviation
            require(found, self.tolerance, engine.name)
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
