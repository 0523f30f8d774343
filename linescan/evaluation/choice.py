"""Which engine runs what is judged, as the names that a command line gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast, get_args

from linescan.depth.backends.base import BackendName, Precision
from linescan.errors import ModelError

BACKENDS = ("auto", *get_args(BackendName))
PRECISIONS = ("auto", *get_args(Precision))


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """Backend, precision and threads; the values are those of the configuration's ``depth``.

    ``fp32`` by default: what another precision changes would be taken for the model's doing.
    """

    backend: BackendName | Literal["auto"] = "auto"
    precision: Precision | Literal["auto"] = "fp32"
    threads: int | None = None

    @classmethod
    def of(cls, backend: str, precision: str, threads: int | None = None) -> EngineChoice:
        """The choice that names ask for; whether it can be had shows when it is opened.

        Raises:
            ModelError: there is no such backend or precision.
        """
        if backend not in BACKENDS:
            raise ModelError(f"backend '{backend}': expected {', '.join(BACKENDS)}")
        if precision not in PRECISIONS:
            raise ModelError(f"precision '{precision}': expected {', '.join(PRECISIONS)}")
        return cls(
            cast("BackendName | Literal['auto']", backend),
            cast("Precision | Literal['auto']", precision),
            threads,
        )
