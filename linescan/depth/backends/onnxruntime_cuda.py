"""ONNX Runtime on an NVIDIA GPU, fp32, through the CUDA execution provider."""

from __future__ import annotations

import contextlib
import io
from typing import Any

from linescan.depth.backends.base import BackendMissingError, BackendName, Precision
from linescan.depth.backends.ort import BoundSession, open_session, session_options
from linescan.depth.card import ModelCard, import_onnxruntime
from linescan.errors import ModelError

PROVIDER = "CUDAExecutionProvider"
OPTIONS = {
    "device_id": "0",
    # The provider's default lets matrix products run in TF32, with 10 bits of mantissa.
    "use_tf32": "0",
    # Timing every algorithm takes seconds at start and may choose another one next time.
    "cudnn_conv_algo_search": "HEURISTIC",
}


class CudaEngine(BoundSession):
    """The image goes up once and the depth map comes down once; nothing else crosses the bus."""

    backend: BackendName = "cuda"

    def __init__(
        self, card: ModelCard, size: tuple[int, int], precision: Precision, threads: int
    ) -> None:
        if precision != "fp32":
            raise ModelError(f"backend cuda runs fp32 only: {precision} needs backend openvino")
        super().__init__(card, size, precision, "GPU 0")
        onnxruntime = import_onnxruntime()
        if PROVIDER not in onnxruntime.get_available_providers():
            raise BackendMissingError(
                "this ONNX Runtime is built without CUDA: install the extra gpu in place of cpu"
            )
        said = _preload(onnxruntime)
        providers = [(PROVIDER, OPTIONS), "CPUExecutionProvider"]
        try:
            session = open_session(card, session_options(size, threads), providers, PROVIDER)
        except ModelError as error:
            raise ModelError(f"{error}{said and ': ' + said}") from error
        self.bind(session, "cuda")


def _preload(onnxruntime: Any) -> str:
    """Load CUDA and cuDNN from the wheels beside ONNX Runtime; what it complained about.

    ``preload_dlls`` prints its complaints instead of raising.
    """
    if not hasattr(onnxruntime, "preload_dlls"):
        return ""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        onnxruntime.preload_dlls()
    return " ".join(printed.getvalue().split())
