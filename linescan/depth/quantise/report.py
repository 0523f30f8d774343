"""What came of quantising a model, and what is kept beside the file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from linescan.depth.card import ModelCard
from linescan.depth.quantise.deviation import Deviation

VERSIONED = ("onnx", "onnxruntime")
"""Packages whose versions the record names."""


@dataclass(frozen=True, slots=True)
class Part:
    """How much of one kind of product became int8.

    Attributes:
        kind: ``"linear layers"`` or ``"attention scores"``.
        quantised: how many did.
        total: how many there are.
        share: of the multiplications of them all.
    """

    kind: str
    quantised: int
    total: int
    share: float


@dataclass(frozen=True, slots=True)
class Speed:
    """Median times of interleaved rounds of the same run.

    Attributes:
        engine: that runs the quantised file, such as ``openvino-bf16``.
        ms: its time for an image.
        other: the fastest engine for the original file.
        other_ms: its time for an image.
    """

    engine: str
    ms: float
    other: str
    other_ms: float


@dataclass(frozen=True, slots=True)
class QuantiseReport:
    """What was written.

    Attributes:
        name: the quantised model's name.
        path: its file.
        nbytes: its size.
        original_nbytes: size of the file it was made from.
        sha256: of the file, hexadecimal.
        size: rows and columns it was calibrated at.
        parts: what was quantised.
        deviation: from the original on frames that were held back, on ``speed.engine``.
        tolerance: what was asked for.
        calibrated: frames that it was calibrated on.
        speed: against the fastest engine for the original.
        seconds: how long it took.
    """

    name: str
    path: Path
    nbytes: int
    original_nbytes: int
    sha256: str
    size: tuple[int, int]
    parts: tuple[Part, ...]
    deviation: Deviation
    tolerance: float
    calibrated: int
    speed: Speed
    seconds: float


def record(card: ModelCard, original: ModelCard, report: QuantiseReport) -> dict[str, Any]:
    """The record of a quantised file, as plain data; see ``linescan.depth.record``."""
    return {
        "name": card.name,
        "sha256": card.sha256,
        "source": original.name,
        "original_sha256": original.sha256,
        "versions": {name: version(name) for name in VERSIONED},
        "bound": report.tolerance,
        "deviation": report.deviation.pooled,
        "engine": report.speed.engine,
        "calibrated_frames": report.calibrated,
        "parts": [asdict(part) for part in report.parts],
        "quantised_checks": [
            {
                "size": list(report.size),
                "image": f"held-back frame {i}",
                "error": error,
                "deviation": deviation,
            }
            for i, (error, deviation) in enumerate(
                zip(report.deviation.errors, report.deviation.frames, strict=True), 1
            )
        ],
    }
