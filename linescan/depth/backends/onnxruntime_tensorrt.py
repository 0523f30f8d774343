"""ONNX Runtime on an NVIDIA GPU through the TensorRT execution provider."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import sys
from dataclasses import replace
from typing import Any

from linescan.depth.backends.base import (
    BackendMissingError,
    BackendName,
    Precision,
    Setup,
)
from linescan.depth.backends.built import writable
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

log = logging.getLogger(__name__)

TENSORRT = "TensorrtExecutionProvider"


class TensorRtEngine(DeviceSession):
    """TensorRT builds an engine for this GPU, which takes minutes once; the cache keeps it.

    LayerNorm's squares overflow in fp16: they stay in fp32.
    """

    backend: BackendName = "tensorrt"
    precisions = ("fp16", "bf16", "fp32")
    keeps = True
    slow_to_build = True

    def __init__(self, card: ModelCard, precision: Precision, setup: Setup) -> None:
        super().__init__(card, precision, setup, "GPU 0")
        said = require_provider(TENSORRT)
        _require_libraries()
        setup = replace(setup, cache=writable(setup.cache))
        if setup.cache is None or not any(setup.cache.glob("*.engine")):
            log.info("%s: TensorRT builds an engine, which takes minutes", self.name)
        with explained(said):
            self.open_with(lambda graph: self._session_with(setup, graph))

    def _session_with(self, setup: Setup, graph: bool) -> Any:
        options = tensorrt_options(self.precision, setup)
        options["trt_cuda_graph_enable"] = str(graph)
        providers: list[Any] = [(TENSORRT, options)]
        if not graph:
            providers += [(CUDA, CUDA_OPTIONS), "CPUExecutionProvider"]
        return open_session(self.card, session_options(setup), providers)


def tensorrt_options(precision: Precision, setup: Setup) -> dict[str, str]:
    """Options of the provider, which takes ``True`` and ``False`` by these very names."""
    options = {
        "trt_fp16_enable": str(precision == "fp16"),
        "trt_bf16_enable": str(precision == "bf16"),
        "trt_layer_norm_fp32_fallback": "True",
        "trt_builder_optimization_level": "3",
    }
    if setup.cache is not None:
        options |= {
            "trt_engine_cache_enable": "True",
            "trt_engine_cache_path": str(setup.cache),
            "trt_timing_cache_enable": "True",
            "trt_timing_cache_path": str(setup.cache),
        }
    return options


def _require_libraries() -> None:
    """Load TensorRT's libraries where they came as a wheel: ONNX Runtime does not look there."""
    with contextlib.suppress(ImportError):
        import tensorrt  # noqa: F401

        return
    name = "nvinfer_10.dll" if sys.platform == "win32" else "libnvinfer.so.10"
    try:
        ctypes.CDLL(name)
    except OSError as error:
        raise BackendMissingError(
            f"TensorRT is not installed; {install_hint('tensorrt')} ({error})"
        ) from error
