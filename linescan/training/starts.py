"""What fine-tuning starts from: an embedded or exported model, a checkpoint folder, a hub id."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linescan.depth.models import REGISTRY
from linescan.errors import ModelError
from linescan.training.model import IMAGENET_MEAN, IMAGENET_STD


@dataclass(slots=True)
class Start:
    """A torch model and what its output means.

    Attributes:
        model: a ``DepthAnythingForDepthEstimation``, fp32.
        meaning: as in ``linescan.json``: name, convention, unit, scale, shift, noise_floor,
            licence, input_size.
    """

    model: Any
    meaning: dict[str, Any]

    @property
    def upwards(self) -> float:
        """+1 where a larger scaled output is higher, -1 where it is lower (depth)."""
        return -1.0 if self.meaning["convention"] == "depth" else 1.0

    @property
    def sign(self) -> float:
        """The same for the output as the head gives it, before the scale."""
        return self.upwards if self.meaning["scale"] > 0 else -self.upwards


def open_start(given: str, *, acknowledge_licence: bool = False) -> Start:
    """Open a model to start from.

    Args:
        given: ``surface-tiny`` or an .onnx file of free size, a local folder in the Hugging Face
            format, a registry name, or a hub id.
        acknowledge_licence: as ``linescan model export`` takes it.

    Raises:
        ModelError: there is no such model, or fine-tuning does not take its kind.
    """
    from linescan.depth.export.checkpoint import find_checkpoint, load_model
    from linescan.depth.export.needs import require
    from linescan.training.from_onnx import meaning, model_from_onnx

    require()
    embedded = given in REGISTRY and REGISTRY[given].embedded
    if embedded or given.endswith(".onnx"):
        unfolded = model_from_onnx(given)
        return Start(unfolded.model, meaning(unfolded.card))
    found = find_checkpoint(
        Path(given) if Path(given).is_dir() else given, acknowledge_licence=acknowledge_licence
    )
    if (found.mean, found.std) != (IMAGENET_MEAN, IMAGENET_STD):
        raise ModelError(f"{given}: its images are normalised otherwise than DINOv2's")
    model = load_model(found)
    if model.config.depth_estimation_type != "relative":
        raise ModelError(f"{given}: a metric head ends in a sigmoid: start from a relative model")
    return Start(
        model,
        {
            "name": found.name,
            "convention": str(found.convention),
            "unit": found.unit,
            "scale": found.scale,
            "shift": found.shift,
            "noise_floor": found.noise_floor,
            "licence": found.licence,
            "input_size": list(found.input_size),
        },
    )
