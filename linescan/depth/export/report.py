"""What an export gives back, and keeps in the file's metadata."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

MAX_ERROR = 5e-4
"""Most absolute error of the exported graph against the original model, as a share of the range
of the original's output: float32 sums in another order stay well below it, a wrong fold or a
wrong size does not."""

MAX_STORAGE_ERROR = 2e-2
"""The same bound once weights are stored as fp16."""

Storage = Literal["fp32", "fp16"]


@dataclass(frozen=True, slots=True)
class Check:
    """One image through the original model and through the exported file.

    ``error`` is the largest absolute difference as a share of the range of the original's output.
    """

    size: tuple[int, int]
    image: str
    error: float


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was exported and how well it agrees with the original.

    Attributes:
        name: the model's name.
        path: the file that was written.
        nbytes: its size.
        sha256: its SHA-256, hexadecimal.
        size: rows and columns it was exported at.
        dynamic: it takes any multiples of 14.
        licence: of the weights.
        storage: how the weights are stored; engines compute in their own precision.
        checks: original against file with fp32 weights, one entry an image.
        storage_checks: the same with the weights as they are stored; empty for fp32.
        seconds: how long it took.
    """

    name: str
    path: Path
    nbytes: int
    sha256: str
    size: tuple[int, int]
    dynamic: bool
    licence: str
    storage: Storage
    checks: tuple[Check, ...]
    storage_checks: tuple[Check, ...]
    seconds: float

    @property
    def max_error(self) -> float:
        """Largest error of the exported graph."""
        return max(check.error for check in self.checks)

    @property
    def storage_error(self) -> float | None:
        """Largest error once the weights are stored as fp16; None for fp32."""
        return max((check.error for check in self.storage_checks), default=None)


def verification(
    storage: Storage, checks: tuple[Check, ...], storage_checks: tuple[Check, ...]
) -> dict[str, Any]:
    """The checks as plain data, for the file's metadata."""
    return {
        "storage": storage,
        "bound": MAX_ERROR,
        "max_error": max(check.error for check in checks),
        "checks": [asdict(check) for check in checks],
        "storage_bound": MAX_STORAGE_ERROR if storage_checks else None,
        "storage_checks": [asdict(check) for check in storage_checks],
    }
