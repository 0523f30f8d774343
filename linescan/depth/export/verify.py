"""Proof of an export: the original model on three channels against the file on one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from linescan.depth.backends.base import cores, first_line
from linescan.depth.card import INPUT, import_onnxruntime
from linescan.depth.export.checkpoint import Checkpoint
from linescan.depth.export.report import Check
from linescan.depth.models import PATCH
from linescan.depth.probe import probe_image
from linescan.errors import ModelError
from linescan.records import FloatArray


@dataclass(frozen=True, slots=True)
class Reference:
    """One image and what the original model makes of it, (h, w) each."""

    kind: str
    image: npt.NDArray[np.uint8]
    output: FloatArray


def sizes_to_check(size: tuple[int, int], *, dynamic: bool) -> list[tuple[int, int]]:
    """The exported size; where any size goes, also others: smaller, odd, longer on either side."""
    if not dynamic:
        return [size]
    half = [max(n // (2 * PATCH), 2) * PATCH for n in size]
    others = [(5 * PATCH, 9 * PATCH), (half[0], size[1] + PATCH), (size[0], half[1] + PATCH)]
    return [size, *(other for other in others if other != size)]


def references(
    model: Any, checkpoint: Checkpoint, sizes: Iterable[tuple[int, int]]
) -> list[Reference]:
    """Run the original model, as published, on noise and on a surface at each size.

    Raises:
        ModelError: its output is not finite, or the same everywhere: nothing could be compared.
    """
    random = np.random.default_rng(0)
    made = []
    for size in sizes:
        noise = random.integers(0, 256, size, dtype=np.uint8)
        for kind, image in (("random", noise), ("surface", probe_image(*size))):
            output = _original(model, checkpoint, image)
            if not np.isfinite(output).all():
                raise ModelError(f"{checkpoint.folder}: the model gives NaN or infinite values")
            if np.ptp(output) == 0.0:
                raise ModelError(
                    f"{checkpoint.folder}: the model gives the same value everywhere "
                    f"({output.flat[0]:g}): is it trained?"
                )
            made.append(Reference(kind, image, output))
    return made


def compare(path: Path, made: Sequence[Reference], bound: float) -> tuple[Check, ...]:
    """Run the exported file on the same images with ONNX Runtime.

    Raises:
        ModelError: it cannot be run, or one error is above ``bound``.
    """
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        outputs = [session.run(None, {INPUT: r.image[None, None]})[0] for r in made]
    except Exception as error:  # ONNX Runtime's errors share no base class
        raise ModelError(f"the exported file does not run: {first_line(error)}") from error
    checks = tuple(_check(r, out) for r, out in zip(made, outputs, strict=True))
    worst = max(checks, key=lambda check: check.error)
    if not worst.error <= bound:
        raise ModelError(
            f"the exported file deviates from the original by {worst.error:.2g} of the output's "
            f"range on a {worst.image} image of {worst.size[0]}x{worst.size[1]}, more than "
            f"{bound:g}: it was not kept"
        )
    return checks


def _check(reference: Reference, output: FloatArray) -> Check:
    expected = reference.output
    size = (expected.shape[0], expected.shape[1])
    if output.shape != (1, *size):
        raise ModelError(f"the exported file gives {output.shape[1:]} for an image of {size}")
    error = np.abs(output[0].astype(np.float64) - expected).max() / np.ptp(expected)
    return Check(size, reference.kind, float(error))


def _original(model: Any, checkpoint: Checkpoint, image: npt.NDArray[np.uint8]) -> FloatArray:
    mean = torch.tensor(checkpoint.mean).view(1, 3, 1, 1)
    std = torch.tensor(checkpoint.std).view(1, 3, 1, 1)
    gray = torch.from_numpy(image)[None, None].expand(1, 3, -1, -1).float() / 255.0
    with torch.no_grad():
        output = model(pixel_values=(gray - mean) / std).predicted_depth
    return np.asarray(output[0].numpy(), np.float32)
