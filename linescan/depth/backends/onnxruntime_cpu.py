"""ONNX Runtime on the CPU, fp32: runs everywhere, and is the reference for other engines."""

from __future__ import annotations

from linescan.depth.backends.base import BackendName, Precision
from linescan.depth.backends.ort import BoundSession, open_session, session_options
from linescan.depth.card import ModelCard
from linescan.errors import ModelError


class CpuEngine(BoundSession):
    """Threads wait without spinning, so that other stages get the cores."""

    backend: BackendName = "cpu"

    def __init__(
        self, card: ModelCard, size: tuple[int, int], precision: Precision, threads: int
    ) -> None:
        if precision != "fp32":
            raise ModelError(f"backend cpu runs fp32 only: {precision} needs backend openvino")
        super().__init__(card, size, precision, f"CPU, {threads} threads")
        options = session_options(size, threads)
        wanted = "CPUExecutionProvider"
        self.bind(open_session(card, options, [wanted], wanted), "cpu")
