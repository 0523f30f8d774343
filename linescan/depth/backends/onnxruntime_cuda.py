"""ONNX Runtime on an NVIDIA GPU through the CUDA execution provider."""

from __future__ import annotations

from typing import Any

from linescan.depth.backends.base import (
    BackendName,
    Precision,
    PrecisionMissingError,
    Setup,
)
from linescan.depth.backends.ort import open_session, session_options
from linescan.depth.backends.ort_gpu import (
    CUDA,
    CUDA_OPTIONS,
    DeviceSession,
    explained,
    require_provider,
)
from linescan.depth.card import ModelCard
from linescan.errors import install_hint


class CudaEngine(DeviceSession):
    """fp32 as the file has it; for half precision the graph is converted when it is loaded.

    The provider computes in the types that a graph states, so half precision needs another graph.
    """

    backend: BackendName = "cuda"
    precisions = ("fp16", "bf16_mixed", "fp32")

    def __init__(self, card: ModelCard, precision: Precision, setup: Setup) -> None:
        super().__init__(card, precision, setup, "GPU 0")
        said = require_provider(CUDA)
        as_it_is = precision == "fp32" or card.precision != "fp32"
        model = None if as_it_is else converted(card, precision)
        with explained(said):
            self.open_with(lambda graph: self._session_with(setup, model, graph))

    def _session_with(self, setup: Setup, model: bytes | None, graph: bool) -> Any:
        """A graph can be captured only where the provider takes every node."""
        providers: list[Any] = [(CUDA, CUDA_OPTIONS), "CPUExecutionProvider"]
        if graph:
            providers = [(CUDA, {**CUDA_OPTIONS, "enable_cuda_graph": "1"})]
        return open_session(self.card, session_options(setup), providers, model)


def converted(card: ModelCard, precision: Precision) -> bytes:
    """The model with its encoder in half precision: all of it in fp16, the head in fp32 else."""
    try:
        import onnx

        from linescan.depth.export.precision import convert_encoder
    except ImportError as error:
        raise PrecisionMissingError(
            f"{precision} needs onnx to convert the model; {install_hint('gpu')} ({error})"
        ) from error
    proto = onnx.load(str(card.path))
    if precision == "fp16":
        convert_encoder(proto, "fp16", head=True)
    else:
        convert_encoder(proto, "bf16")
    return bytes(proto.SerializeToString())
