"""What an export makes, gives back, and keeps beside the file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from linescan.depth.card import ModelCard

MAX_ERROR = 5e-4
"""Most ``error`` of the exported graph against the original model: float32 sums in another order
stay well below it, a wrong fold or a wrong size does not."""

MAX_STORAGE_ERROR = 2e-2
"""The same bound once weights are stored as fp16."""

MAX_DEVIATION = 2e-2
"""Most ``deviation`` of a file that computes in half precision."""

VERSIONED = ("torch", "transformers", "onnx", "onnxruntime")
"""Packages whose versions the record names."""
Storage = Literal["fp32", "fp16"]
Attention = Literal["eager", "fused"]
FilePrecision = Literal["fp32", "fp16", "bf16"]


@dataclass(frozen=True, slots=True)
class Form:
    """In which form a checkpoint is exported; see ``linescan.depth.export.export``."""

    size: tuple[int, int]
    dynamic: bool = False
    storage: Storage = "fp32"
    channels: int = 1
    frame_size: tuple[int, int] | None = None
    attention: Attention = "eager"
    precision: FilePrecision = "fp32"


@dataclass(frozen=True, slots=True)
class Check:
    """One image through the original model and through the exported file.

    ``error`` is the largest absolute difference as a share of the range of the original's output,
    ``deviation`` the RMS difference in its standard deviations, after a fit of scale and shift.
    """

    size: tuple[int, int]
    image: str
    error: float
    deviation: float


@dataclass(frozen=True, slots=True)
class Proof:
    """All comparisons of one export with the original model.

    Attributes:
        checks: the file as traced, in fp32.
        precision_checks: its encoder in half precision; empty where it stays fp32.
        storage_checks: with the weights as they are stored; empty where they stay fp32.
    """

    checks: tuple[Check, ...]
    precision_checks: tuple[Check, ...] = ()
    storage_checks: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was exported and how well it agrees with the original.

    Attributes:
        name: the model's name.
        path: the file that was written.
        nbytes: its size.
        sha256: its SHA-256, hexadecimal.
        licence: of the weights.
        form: size, storage and whatever else was chosen.
        proof: the comparisons.
        seconds: how long it took.
    """

    name: str
    path: Path
    nbytes: int
    sha256: str
    licence: str
    form: Form
    proof: Proof
    seconds: float

    @property
    def max_error(self) -> float:
        """Largest error of the exported graph in fp32."""
        return max(check.error for check in self.proof.checks)

    @property
    def storage_error(self) -> float | None:
        """Largest error once the weights are stored as fp16; None for fp32."""
        return max((check.error for check in self.proof.storage_checks), default=None)

    @property
    def precision_deviation(self) -> float | None:
        """Largest deviation of the half-precision encoder; None for fp32."""
        return max((check.deviation for check in self.proof.precision_checks), default=None)


def record(card: ModelCard, form: Form, proof: Proof) -> dict[str, Any]:
    """The record of a verified file, as plain data; see ``linescan.depth.record``."""
    return {
        "name": card.name,
        "sha256": card.sha256,
        "source": card.source,
        "form": asdict(form),
        "versions": {name: version(name) for name in VERSIONED},
        "bound": MAX_ERROR,
        "max_error": max(check.error for check in proof.checks),
        "precision_bound": MAX_DEVIATION if proof.precision_checks else None,
        "storage_bound": storage_bound(form)[1] if proof.storage_checks else None,
        **asdict(proof),
    }


def storage_bound(form: Form) -> tuple[Literal["error", "deviation"], float]:
    """What is bounded, and by how much, once weights are stored as fp16."""
    if form.precision == "fp32":
        return "error", MAX_STORAGE_ERROR
    return "deviation", MAX_DEVIATION
