"""What could run a model: pairs of backend and precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from linescan.depth.backends.base import BackendName, LoadedModel, Precision, Setup, first_line
from linescan.depth.backends.onnxruntime_cpu import CpuEngine
from linescan.depth.backends.onnxruntime_cuda import CudaEngine
from linescan.depth.backends.onnxruntime_tensorrt import TensorRtEngine
from linescan.depth.backends.openvino import OpenVinoEngine
from linescan.depth.card import ModelCard
from linescan.errors import ModelError

BACKENDS: dict[BackendName, type[TensorRtEngine | CudaEngine | OpenVinoEngine | CpuEngine]] = {
    "tensorrt": TensorRtEngine,
    "cuda": CudaEngine,
    "openvino": OpenVinoEngine,
    "cpu": CpuEngine,
}
"""By name, fastest expected first."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A backend and the precision it is asked for."""

    backend: BackendName
    precision: Precision

    @property
    def name(self) -> str:
        """Such as ``openvino-bf16``: that of the engine it becomes."""
        return f"{self.backend}-{self.precision}"

    @property
    def on_gpu(self) -> bool:
        """It needs a GPU."""
        return BACKENDS[self.backend].on_gpu

    @property
    def keeps(self) -> bool:
        """What loading builds is kept in the setup's cache."""
        return BACKENDS[self.backend].keeps

    @property
    def slow_to_build(self) -> bool:
        """Loading it takes minutes where the setup's cache does not hold what was built."""
        return BACKENDS[self.backend].slow_to_build


REFERENCE = Candidate("cpu", "fp32")
"""What other engines are compared with."""


def candidates(card: ModelCard) -> tuple[Candidate, ...]:
    """What could be tried for a model, fastest expected first; nothing is loaded."""
    return tuple(
        Candidate(name, precision)
        for name, kind in BACKENDS.items()
        for precision in _offered(kind.precisions, kind.on_gpu, card)
    )


def load(candidate: Candidate, card: ModelCard, setup: Setup) -> LoadedModel:
    """Load a model, unchecked.

    Raises:
        BackendError: the backend does not load at all, or is not installed.
        PrecisionMissingError: the device cannot do this precision.
        ModelError: it cannot load, or its file is not the one that the card was read from.
    """
    card.require_unchanged()
    try:
        engine = BACKENDS[candidate.backend](card, candidate.precision, setup)
    except ModelError:
        raise
    except Exception as error:  # drivers and native libraries raise what they like
        raise ModelError(f"failed to load: {first_line(error)}") from error
    try:
        card.require_unchanged()  # nor was it replaced meanwhile
    except ModelError:
        engine.close()
        raise
    return engine


def _offered(precisions: Sequence[Precision], on_gpu: bool, card: ModelCard) -> Sequence[Precision]:
    """What a backend offers for a file: GPUs run one that was converted as it is, int8 not."""
    if on_gpu and card.precision != "fp32":
        return [p for p in precisions if p.removesuffix("_mixed") == card.precision]
    return [p for p in precisions if p != "bf16_mixed" or card.features or on_gpu]
