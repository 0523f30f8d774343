"""Proof of an export: the original model on three normalised channels against the file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from linescan.depth.backends.base import cores, first_line
from linescan.depth.card import import_onnxruntime
from linescan.depth.export.description import Checkpoint
from linescan.depth.export.emulation import computes_in_bf16, emulate_bf16
from linescan.depth.export.frame import resize
from linescan.depth.export.report import Check
from linescan.depth.gate import agreement
from linescan.depth.models import PATCH
from linescan.depth.probe import probe_image
from linescan.errors import ModelError
from linescan.records import FloatArray

Image = npt.NDArray[np.uint8]
MAX_ROUNDING = 0.502
"""Most gray values that the resize in the graph may be off the exact mean: rounding to a whole
one, and float32 sums."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One image and what the original model makes of it.

    ``image`` is what the file takes, (h, w) or (h, w, 3); ``output`` (rows, columns).
    """

    kind: str
    image: Image
    output: FloatArray


def sizes_to_check(size: tuple[int, int], *, dynamic: bool) -> list[tuple[int, int]]:
    """The exported size; where any size goes, also others: smaller, odd, longer on either side."""
    if not dynamic:
        return [size]
    half = [max(n // (2 * PATCH), 2) * PATCH for n in size]
    others = [(5 * PATCH, 9 * PATCH), (half[0], size[1] + PATCH), (size[0], half[1] + PATCH)]
    return [size, *(other for other in others if other != size)]


def references(
    model: Any,
    checkpoint: Checkpoint,
    sizes: Iterable[tuple[int, int]],
    channels: int = 1,
    resizing: Any | None = None,
) -> list[Reference]:
    """Run the original model, as published, on noise and on a surface at each size.

    RGB images differ from channel to channel. With ``resizing``, a model from ``frame_resize``,
    ``sizes`` are those of frames: what it makes of them is compared with the exact mean, and the
    original runs on that.

    Raises:
        ModelError: its output is not finite, or the same everywhere: nothing could be compared; or
            the resize is wrong.
    """
    random = np.random.default_rng(0)
    made = []
    for size in sizes:
        shape = size if channels == 1 else (*size, channels)
        noise = random.integers(0, 256, shape, dtype=np.uint8)
        for kind, image in (("random", noise), ("surface", _surface(shape))):
            seen = image if resizing is None else _resized(resizing, image)
            output = run_original(model, checkpoint, seen)
            if not np.isfinite(output).all():
                raise ModelError(f"{checkpoint.folder}: the model gives NaN or infinite values")
            if np.ptp(output) == 0.0:
                raise ModelError(
                    f"{checkpoint.folder}: the model gives the same value everywhere "
                    f"({output.flat[0]:g}): is it trained?"
                )
            made.append(Reference(kind, image, output))
    return made


def compare(
    proto: Any, made: Sequence[Reference], bounded: Literal["error", "deviation"], bound: float
) -> tuple[Check, ...]:
    """Run an exported model on the same images with ONNX Runtime.

    Raises:
        ModelError: it cannot be run, or what is bounded is above ``bound`` on one image.
    """
    run = _session(proto)
    checks = tuple(_check(reference, run(reference.image)) for reference in made)
    worst = max(checks, key=lambda check: float(getattr(check, bounded)))
    value = getattr(worst, bounded)
    if not value <= bound:
        unit = "of the output's range" if bounded == "error" else "standard deviations"
        raise ModelError(
            f"the file deviates from the original by {value:.2g} {unit} on a "
            f"{worst.image} image of {worst.size[0]}x{worst.size[1]}, more than {bound:g}"
        )
    return checks


def run_original(model: Any, checkpoint: Checkpoint, image: Image) -> FloatArray:
    """Depth (h, w) of an (h, w) or (h, w, 3) image by the original model."""
    mean = torch.tensor(checkpoint.mean).view(1, 3, 1, 1)
    std = torch.tensor(checkpoint.std).view(1, 3, 1, 1)
    pixels = torch.from_numpy(_planes(image))[None].expand(1, 3, -1, -1).float() / 255.0
    with torch.no_grad():
        output = model(pixel_values=(pixels - mean) / std).predicted_depth
    return np.asarray(output[0].numpy(), np.float32)


def _session(proto: Any) -> Any:
    """A function from (h, w) or (h, w, 3) images to the model's output."""
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores()
    options.log_severity_level = 4
    if computes_in_bf16(proto):
        proto = emulate_bf16(proto)
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = onnxruntime.InferenceSession(
            proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # ONNX Runtime's errors share no base class
        raise ModelError(f"the file does not load: {first_line(error)}") from error

    def run(image: Image) -> FloatArray:
        try:
            (output,) = session.run(None, {session.get_inputs()[0].name: _planes(image)[None]})
        except Exception as error:
            raise ModelError(f"the file does not run: {first_line(error)}") from error
        return np.asarray(output[0], np.float32)

    return run


def _check(reference: Reference, output: FloatArray) -> Check:
    expected = reference.output
    size = (reference.image.shape[0], reference.image.shape[1])
    if output.shape != expected.shape:
        raise ModelError(f"the file gives {output.shape} for an image of {size}")
    error = np.abs(output.astype(np.float64) - expected).max() / np.ptp(expected)
    if not np.isfinite(error):
        raise ModelError(f"the file gives NaN or infinite values for an image of {size}")
    return Check(size, reference.kind, float(error), agreement(output, expected).deviation)


def _resized(resizing: Any, frame: Image) -> Image:
    seen = _session(resizing)(frame)
    image = seen[0] if frame.ndim == 2 else seen.transpose(1, 2, 0)
    exact = resize(frame, (image.shape[0], image.shape[1]))
    if not np.abs(image - exact).max() <= MAX_ROUNDING:
        raise ModelError("the resize in the graph does not give the mean of the pixels")
    return image.astype(np.uint8)


def _surface(shape: tuple[int, ...]) -> Image:
    gray = probe_image(*shape[:2])
    if len(shape) == 2:
        return gray
    return np.stack([gray, gray[::-1], 255 - gray], axis=-1)


def _planes(image: Image) -> Image:
    """(h, w) or (h, w, c) to (c, h, w)."""
    return np.ascontiguousarray(image[None] if image.ndim == 2 else image.transpose(2, 0, 1))
