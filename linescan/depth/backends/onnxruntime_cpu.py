"""ONNX Runtime on the CPU, fp32: runs everywhere, and is the reference for other engines."""

from __future__ import annotations

from linescan.depth.backends.base import BackendName, Precision, Setup
from linescan.depth.backends.ort import HostSession, open_session, session_options
from linescan.depth.card import ModelCard, import_onnxruntime
from linescan.errors import ModelError


class CpuEngine(HostSession):
    """Threads wait without spinning, so that other stages get the cores.

    ONNX Runtime has no bf16 operators for CPUs: those of a bf16 file compute in fp32 and round.
    """

    backend: BackendName = "cpu"
    precisions = ("fp32",)

    def __init__(self, card: ModelCard, precision: Precision, setup: Setup) -> None:
        super().__init__(card, precision, setup, f"CPU, {setup.threads} threads")
        options, model = session_options(setup), None
        if card.precision == "bf16":
            model = _emulated(card)
            # Optimised, the casts that round would be taken away.
            levels = import_onnxruntime().GraphOptimizationLevel
            options.graph_optimization_level = levels.ORT_DISABLE_ALL
        self.bind(open_session(card, options, ["CPUExecutionProvider"], model))


def _emulated(card: ModelCard) -> bytes:
    try:
        import onnx

        from linescan.depth.export.emulation import emulate_bf16
    except ImportError as error:
        raise ModelError(
            f"{card.path}: computes in bf16, which the reference on the CPU imitates with onnx: "
            f"pip install onnx, or export the model in fp32 ({error})"
        ) from error
    return bytes(emulate_bf16(onnx.load(str(card.path))).SerializeToString())
